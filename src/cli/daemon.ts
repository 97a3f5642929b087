/** What serve, forward and proxy share: a server that runs until told not to. */
import { formatEndpoint } from "../endpoint.ts";
import { messageOf } from "../errors.ts";
import { type Log, LOG_LEVELS } from "../log.ts";
import { Mux } from "../mux.ts";
import type { LogSettings } from "../table/table.ts";
import { getEnv } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";
import { EXIT } from "./exit.ts";
import { type Flags, oneOf } from "./flags.ts";
import type { Loaded } from "./load.ts";
import { startLog } from "./logging.ts";
import type { Signals } from "./signals.ts";
import type { Signal } from "./system.ts";

/** Milliseconds that sessions get to end when a second signal says: now. */
const STOP_TIME = 0;

export interface DaemonOptions {
  /** Taken first of all, before anything is read. */
  readonly signals: Signals;
  /** Reads the table, at the start and again at SIGHUP. */
  readonly load: () => Promise<Loaded>;
  /** Called when a table has come into force. */
  readonly inForce: (
    loaded: Loaded,
    mux: Mux,
    log: Log,
  ) => Promise<void> | void;
}

/**
 * Serves until a signal says to stop and the last session has ended.
 *
 * @throws {TcpmuxError} where it cannot start
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const { signals, load, inForce } = options;
  const first = await load();
  let log = startLog(first.table.server.log);
  const transport = await pickTransport();
  const inherited = transport.sealInherited?.() ?? [];
  if (inherited.length > 0) {
    log("warn", "programs inherit what the server was started with", {
      descriptors: inherited.join(" "),
    });
  }
  const mux = await Mux.start(first.table, {
    transport,
    log: (level, message, fields) => log(level, message, fields),
    getEnv,
  }, first.file);
  log("info", "serving", {
    table: first.file,
    services: first.table.services.length,
    addresses: mux.addresses.map(formatEndpoint).join(" "),
  });
  await inForce(first, mux, log);

  let stopping = false;
  const stop = (signal: Signal) => {
    const drain = stopping ? STOP_TIME : undefined;
    log("info", stopping ? "stopping now" : "stopping", {
      signal,
      sessions: mux.state().sessions,
    });
    stopping = true;
    mux.close(drain);
  };
  const reload = async () => {
    try {
      const next = await load();
      await mux.reload(next.table, next.file);
      log = startLog(next.table.server.log);
      log("info", "reloaded", {
        table: next.file,
        services: next.table.services.length,
      });
      await inForce(next, mux, log);
    } catch (error) {
      log("error", "not reloaded, the old table stays in force", {
        reason: messageOf(error),
      });
    }
  };
  signals.handle({
    SIGTERM: () => stop("SIGTERM"),
    SIGINT: () => stop("SIGINT"),
    SIGHUP: () => stopping ? undefined : void reload(),
    SIGUSR2: () => {
      const { addresses, ...state } = mux.state();
      const list = addresses.map(formatEndpoint).join(" ");
      log("info", "state", { ...state, addresses: list });
    },
  });
  await mux.closed;
  log("info", "stopped");
  return EXIT.done;
}

/** The flags of the log, which all of them have. */
export const LOG_FLAGS = ["log-format", "log-level"];

/**
 * What the command line says of the log, which goes before the table.
 *
 * @throws {TcpmuxError} code `usage`
 */
export function logOf(flags: Flags): Partial<LogSettings> {
  const format = oneOf("log-format", flags.value("log-format"), [
    "text",
    "json",
  ]);
  const level = oneOf("log-level", flags.value("log-level"), LOG_LEVELS);
  return {
    ...(format === undefined ? {} : { format }),
    ...(level === undefined ? {} : { level }),
  };
}
