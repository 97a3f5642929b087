/** What serve, forward and proxy share: they run until a signal stops them. */
import { formatEndpoint } from "../endpoint.ts";
import { messageOf } from "../errors.ts";
import type { Log, LogLevel } from "../log.ts";
import { MuxServer } from "../server.ts";
import type { LogSettings } from "../table/table.ts";
import { getEnv } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";
import { EXIT } from "./exit.ts";
import type { Loaded } from "./load.ts";
import { startLog } from "./logging.ts";
import { ErrorBatch, type Signal, type Signals } from "./system.ts";

/** The drain timeout, in milliseconds, after a second signal to stop. */
const STOP_TIME = 0;

/** Milliseconds between two looks at how many sessions there are. */
const GARBAGE_PERIOD = 500;

/** Sessions from which on collecting is worth its time. */
const FEW = 1024;

/** The next collection waits for this multiple of the last one's sessions. */
const GROWTH = 1.125;

export interface DaemonOptions {
  /** Created before anything else, so that no signal is lost. */
  readonly signals: Signals;
  /** Reads the table, at the start and again at SIGHUP. */
  readonly load: () => Promise<Loaded>;
  /** Called when a table has come into force. */
  readonly inForce: (
    loaded: Loaded,
    server: MuxServer,
    log: Log,
  ) => Promise<void> | void;
}

/**
 * Serves until a signal says to stop and the last session has ended.
 *
 * @throws {TcpmuxError} where it cannot start
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const output = new ErrorBatch();
  try {
    return await run(options, output);
  } finally {
    output.flush(); // the log comes before the error that ends the program
  }
}

async function run(
  options: DaemonOptions,
  output: ErrorBatch,
): Promise<number> {
  const { signals, load, inForce } = options;
  const first = await load();
  let log = startLog(first.table.server.log, output);
  const transport = await pickTransport();
  const inherited = transport.sealInherited?.() ?? [];
  if (inherited.length > 0) {
    log("warn", "programs inherit what the server was started with", {
      descriptors: inherited.join(" "),
    });
  }
  const server = await MuxServer.start(first.table, {
    transport,
    log: (level, message, fields) => log(level, message, fields),
    getEnv,
  }, first.file);
  log("info", "serving", {
    table: first.file,
    services: first.table.services.length,
    addresses: server.addresses.map(formatEndpoint).join(" "),
  });
  await inForce(first, server, log);
  if (transport.collectGarbage !== undefined) {
    const { collectGarbage } = transport;
    collectAtNewHeights(() => server.state.sessions, collectGarbage);
  }

  let stopping = false;
  const stop = (signal: Signal) => {
    const drain = stopping ? STOP_TIME : undefined;
    log("info", stopping ? "stopping now" : "stopping", {
      signal,
      sessions: server.state.sessions,
    });
    stopping = true;
    server.close(drain);
  };
  const reload = async () => {
    try {
      const next = await load();
      await server.reload(next.table, next.file);
      log = startLog(next.table.server.log, output);
      log("info", "reloaded", {
        table: next.file,
        services: next.table.services.length,
      });
      await inForce(next, server, log);
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
      const { addresses, ...state } = server.state;
      const list = addresses.map(formatEndpoint).join(" ");
      log("info", "state", { ...state, addresses: list });
    },
  });
  await server.closed;
  log("info", "stopped");
  return EXIT.done;
}

/** The log settings of the command line, which override the table's. */
export function logOf(
  flags: {
    readonly "log-format"?: "text" | "json" | undefined;
    readonly "log-level"?: LogLevel | undefined;
  },
): Partial<LogSettings> {
  const { "log-format": format, "log-level": level } = flags;
  return {
    ...(format === undefined ? {} : { format }),
    ...(level === undefined ? {} : { level }),
  };
}

/**
 * Collects garbage each time that the number of sessions has grown to a new
 * maximum. Bun's engine by itself collects only when its heap has doubled, and
 * it does not give back the gaps between live objects: the memory of finished
 * handshakes would stay taken for good. See bench/NOTES.md.
 *
 * @param sessions the number of sessions now
 */
function collectAtNewHeights(
  sessions: () => number,
  collectGarbage: () => void,
): void {
  let next = FEW;
  const timer = setInterval(() => {
    const count = sessions();
    if (count < next) return;
    next = Math.ceil(count * GROWTH);
    collectGarbage();
  }, GARBAGE_PERIOD);
  timer.unref(); // the timer does not keep the program running
}
