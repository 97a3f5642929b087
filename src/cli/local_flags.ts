import type { Endpoint } from "../endpoint.ts";
import {
  LOCAL_FORMS,
  readLocal,
  readServer,
  SERVER_FORMS,
} from "../table/local.ts";
import { resolveLocal } from "../table/forwards.ts";
import type { ServerSettings } from "../table/table.ts";
import { getEnv } from "../transport/permission.ts";
import { durationFlag } from "./client_flags.ts";
import { LOG_FLAGS, logOf } from "./daemon.ts";
import { type Flags, usage } from "./flags.ts";

/** The flags of the commands that listen for clients of this machine. */
export const LOCAL_FLAGS = {
  values: [
    "connect-timeout",
    "idle-timeout",
    "drain-timeout",
    "max-connections",
    ...LOG_FLAGS,
  ],
  switches: ["json"],
};

/** The lines of `--help` about them. */
export const LOCAL_FLAGS_HELP = `\
      --connect-timeout T  to reach the server, and again for its reply
                         (default: 5s)
      --idle-timeout T   without a byte either way (default: 0, no limit)
      --drain-timeout T  for live connections when it stops (default: 30s)
      --max-connections N  at a time (default: 4096)
      --log-format F     text or json (default: text)
      --log-level L      debug, info, warn or error (default: info)`;

/**
 * What the command line says, which goes before what a file says.
 *
 * @throws {TcpmuxError} code `usage`
 */
export function localSettings(
  flags: Flags,
  said: ServerSettings = resolveLocal({}),
): ServerSettings {
  const more = given({
    connectTimeout: durationFlag(flags, "connect-timeout"),
    idleTimeout: durationFlag(flags, "idle-timeout"),
    drainTimeout: durationFlag(flags, "drain-timeout"),
  });
  const most = given({ maxConnections: maxConnections(flags) });
  return {
    ...said,
    ...more,
    limits: { ...said.limits, ...most },
    log: { ...said.log, ...logOf(flags) },
  };
}

function maxConnections(flags: Flags): number | undefined {
  const text = flags.value("max-connections");
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw usage(
    `--max-connections is ${JSON.stringify(text)}, but is a whole number ` +
      "from 1 to 999999",
  );
}

/** Without what is undefined. */
function given<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

/** @throws {TcpmuxError} code `usage` */
export function localWord(text: string): Endpoint {
  const endpoint = readLocal(text);
  if (typeof endpoint !== "string") return endpoint;
  throw usage(
    `${JSON.stringify(text)} is no address to listen on (${LOCAL_FORMS}): ` +
      endpoint,
  );
}

/** @throws {TcpmuxError} code `usage` */
export function serverWord(text: string): Endpoint {
  const endpoint = readServer(text);
  if (typeof endpoint !== "string") return endpoint;
  throw usage(
    `${JSON.stringify(text)} is no server (${SERVER_FORMS}): ${endpoint}`,
  );
}

/**
 * The environment, where TCPMUX_CONFIG is another file: that of the server.
 */
export function localEnv(name: string): string | undefined {
  return name === "TCPMUX_CONFIG" ? undefined : getEnv(name);
}
