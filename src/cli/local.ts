/** What forward and proxy share: they listen for clients of this machine. */
import { type Endpoint, readServer } from "../endpoint.ts";
import {
  defaultSettings,
  LOCAL_FORMS,
  readLocal,
  SERVER_FORMS,
} from "../table/forwards.ts";
import type { ServerSettings } from "../table/table.ts";
import { logOf } from "./daemon.ts";
import { type FlagsOf, usage } from "./flags.ts";
import type { LOCAL_FLAGS } from "./spec/parts.ts";

type LocalFlags = FlagsOf<
  { name: string; positionals: []; flags: typeof LOCAL_FLAGS }
>;

/** The settings of a file, or the defaults, overridden by the flags. */
export function localSettings(
  flags: LocalFlags,
  base: ServerSettings = defaultSettings(),
): ServerSettings {
  return {
    ...base,
    ...given({
      connectTimeout: flags["connect-timeout"],
      idleTimeout: flags["idle-timeout"],
      drainTimeout: flags["drain-timeout"],
    }),
    limits: {
      ...base.limits,
      ...given({ maxConnections: flags["max-connections"] }),
    },
    log: { ...base.log, ...logOf(flags) },
  };
}

/** The members that are not undefined. */
function given<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

/** An address to listen on. @throws {TcpmuxError} code `usage` */
export function localAddress(text: string): Endpoint {
  const endpoint = readLocal(text);
  if (typeof endpoint !== "string") return endpoint;
  throw usage(
    `${JSON.stringify(text)} is no address to listen on (${LOCAL_FORMS}): ` +
      endpoint,
  );
}

/** The address of a TCPMUX server. @throws {TcpmuxError} code `usage` */
export function serverAddress(text: string): Endpoint {
  const endpoint = readServer(text);
  if (typeof endpoint !== "string") return endpoint;
  throw usage(
    `${JSON.stringify(text)} is no server (${SERVER_FORMS}): ${endpoint}`,
  );
}
