/** What serve, forward and proxy share: they run until a signal stops them. */
import { formatEndpoint } from "../endpoint.ts";
import { codeOf, messageOf, TcpmuxError } from "../errors.ts";
import type { Log, LogLevel } from "../log.ts";
import { MuxServer } from "../server.ts";
import { formatProblem, type Problem } from "../table/problem.ts";
import type { LogSettings } from "../table/table.ts";
import { getEnv } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";
import type { Output, Transport } from "../transport/transport.ts";
import { WriteQueue } from "../transport/write_queue.ts";
import { EXIT, exitCodeOf, explain } from "./exit.ts";
import type { Loaded } from "./load.ts";
import { LogQueue } from "./logging.ts";
import {
  PATIENCE,
  settlesWithin,
  type Signal,
  type Signals,
} from "./system.ts";

/** The drain timeout, in milliseconds, after a second signal to stop. */
const STOP_TIME = 0;

/** Sessions from which on collecting is worth its time. */
const FEW = 256;

/** The next collection waits for this multiple of the last one's sessions. */
const GROWTH = 1.125;

export interface DaemonOptions {
  /** Created before anything else, so that no signal is lost. */
  readonly signals: Signals;
  /** Reads the table, at the start and again at SIGHUP. */
  readonly load: () => Promise<Loaded>;
  /**
   * Called when a table has come into force.
   *
   * @returns what is printed of it on standard output, as JSON
   */
  readonly inForce: (
    loaded: Loaded,
    server: MuxServer,
    log: Log,
  ) => object | undefined;
}

/**
 * Serves until a signal says to stop and the last session has ended.
 *
 * @returns the exit code; why it cannot start is said behind the log
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const transport = await pickTransport();
  const queue = new LogQueue(transport.output(2));
  try {
    return await run(options, transport, queue);
  } catch (error) {
    queue.print(explain(error));
    return exitCodeOf(error);
  } finally {
    await queue.flush();
  }
}

async function run(
  options: DaemonOptions,
  transport: Transport,
  queue: LogQueue,
): Promise<number> {
  const { signals, load, inForce } = options;
  const stopped = Symbol();
  const first = await new Promise<Loaded | typeof stopped>(
    (resolve, reject) => {
      const stop = () => resolve(stopped);
      signals.handle({ SIGTERM: stop, SIGINT: stop });
      load().then(resolve, reject);
    },
  );
  if (first === stopped) return EXIT.done;
  signals.handle({}); // what comes while it starts is handled when it serves
  let log = queue.log(first.table.server.log);
  const inherited = transport.sealInherited?.() ?? [];
  if (inherited.length > 0) {
    log(
      "warn",
      "programs inherit descriptors that the server was started with",
      {
        descriptors: inherited.join(" "),
      },
    );
  }
  const server = await MuxServer.start(first.table, {
    transport,
    log: (level, message, fields) => log(level, message, fields),
    getEnv,
    ...(transport.collectGarbage === undefined ? {} : {
      onSessions: collectAtNewHeights(transport.collectGarbage),
    }),
  }, first.file);
  log("info", "serving", {
    table: first.file,
    services: first.table.services.length,
    pid: process.pid,
    addresses: server.addresses.map(formatEndpoint).join(" "),
  });
  const announcements = new Announcements(transport, () => server.close(0));
  let advice = first.advice();
  logAdvice(advice, [], log);
  announcements.print(inForce(first, server, log));

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
  const reload = new Repeated(async () => {
    if (stopping) return;
    try {
      const next = await load();
      await server.reload(next.table, next.file);
      log = queue.log(next.table.server.log);
      log("info", "reloaded", {
        table: next.file,
        services: next.table.services.length,
      });
      const known = advice;
      advice = next.advice();
      logAdvice(advice, known, log);
      announcements.print(inForce(next, server, log));
    } catch (error) {
      log("error", "not reloaded, the old table stays in force", {
        reason: messageOf(error),
      });
    }
  });
  signals.handle({
    SIGTERM: () => stop("SIGTERM"),
    SIGINT: () => stop("SIGINT"),
    SIGHUP: () => reload.run(),
    SIGUSR2: () => {
      const { addresses, ...state } = server.state;
      const list = addresses.map(formatEndpoint).join(" ");
      log("info", "state", { ...state, addresses: list });
    },
  });
  await server.closed;
  log("info", "stopped");
  await announcements.over();
  return EXIT.done;
}

/** Logs advice that is new; what holds for several services, once. */
function logAdvice(
  advice: readonly Problem[],
  known: readonly Problem[],
  log: Log,
): void {
  const alike = new Map<string, Problem[]>();
  for (const problem of advice) {
    const { key, message } = problem;
    if (known.some((one) => one.key === key && one.message === message)) {
      continue;
    }
    alike.set(message, [...alike.get(message) ?? [], problem]);
  }
  for (const [first, ...more] of alike.values()) {
    const key = more.length === 0
      ? first!.key
      : `${first!.key} and ${more.length} more`;
    log("warn", "warning about the table", {
      advice: formatProblem({ ...first!, key }),
    });
  }
}

/** Work of which one run is under way at a time, and the last one counts. */
class Repeated {
  readonly #work: () => Promise<void>;
  #isRunning = false;
  #isAsked = false;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Runs it; behind the run that is under way, which may have missed news. */
  run(): void {
    this.#isAsked = true;
    if (!this.#isRunning) void this.#runAll();
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    while (this.#isAsked) {
      this.#isAsked = false;
      await this.#work();
    }
    this.#isRunning = false;
  }
}

/** What is printed on standard output while the program serves. */
class Announcements {
  readonly #transport: Transport;
  readonly #onFailure: () => void;
  readonly #writes = new WriteQueue();
  #output: Output | undefined;
  #failure: unknown;

  /** @param onFailure called where one cannot be written */
  constructor(transport: Transport, onFailure: () => void) {
    this.#transport = transport;
    this.#onFailure = onFailure;
  }

  print(what: object | undefined): void {
    if (what === undefined) return;
    const output = this.#output ??= this.#transport.output(1);
    const line = new TextEncoder().encode(`${JSON.stringify(what)}\n`);
    this.#writes.run(() => output.write(line)).catch((error) => {
      if (codeOf(error) === "broken_pipe") return; // its reader has closed it
      this.#failure ??= error;
      this.#onFailure();
    });
  }

  /** @throws {TcpmuxError} where not all has been written in time */
  async over(): Promise<void> {
    const isWritten = await settlesWithin(PATIENCE, this.#writes.settled());
    if (this.#failure !== undefined) throw this.#failure;
    if (isWritten) return;
    throw new TcpmuxError(
      "failed",
      "cannot write to standard output: its reader does not read",
    );
  }
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
 * Collects garbage each time that clearly more sessions are open than ever
 * before. Bun's engine by itself collects only when its heap has doubled, and
 * it does not give back the gaps between live objects: the memory of finished
 * handshakes would stay taken for good. See bench/NOTES.md.
 *
 * @returns called with the number of sessions whenever one has come
 */
function collectAtNewHeights(
  collectGarbage: () => void,
): (sessions: number) => void {
  let next = FEW;
  return (sessions) => {
    if (sessions < next) return;
    next = Math.ceil(sessions * GROWTH);
    collectGarbage();
  };
}
