import { formatEndpoint, parseEndpoint } from "../endpoint.ts";
import { messageOf, TcpmuxError } from "../errors.ts";
import type { Log } from "../log.ts";
import { Mux } from "../mux.ts";
import { advise } from "../services/advice.ts";
import { formatProblem } from "../table/problem.ts";
import { LOG_LEVELS, Table } from "../table/table.ts";
import { getEnv } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";
import { EXIT } from "./exit.ts";
import { type Flags, oneOf, readFlags } from "./flags.ts";
import { type Loaded, loadTable } from "./load.ts";
import { startLog } from "./logging.ts";
import { onSignal, type Signal } from "./system.ts";

/** Milliseconds that sessions get to end when a second signal says: now. */
const STOP_TIME = 0;

export const SERVE_FLAGS = {
  values: ["config", "log-format", "log-level"],
  lists: ["listen"],
  short: { c: "config", l: "listen" },
  words: 0,
};

/** `tcpmux serve`: serves until it is told to stop. */
export async function serveCommand(args: readonly string[]): Promise<number> {
  const signals = new Signals(); // first of all: see RUNTIMES in the README
  const flags = readFlags(args, SERVE_FLAGS, getEnv);
  const load = async () =>
    withFlags(await loadTable(flags.value("config")), flags);
  const { table, file } = await load();
  let log = startLog(table.server.log);

  const mux = await Mux.start(table, {
    transport: await pickTransport(),
    log: (level, message, fields) => log(level, message, fields),
    getEnv,
  }, file);
  log("info", "serving", {
    table: file,
    services: table.services.length,
    addresses: mux.addresses.map(formatEndpoint).join(" "),
  });
  await logAdvice(table, file, log);

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
      await logAdvice(next.table, next.file, log);
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

/**
 * Takes all signals from the start on, and keeps them until there is a
 * server. It is also what keeps Deno from a crash when it runs out of
 * descriptors, and Node from opening its inspector at SIGUSR1.
 */
class Signals {
  #early: Signal[] = [];
  #handlers: Partial<Record<Signal, () => void>> | undefined;

  constructor() {
    const all = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
    for (const signal of all) {
      onSignal(signal, () => {
        if (this.#handlers === undefined) this.#early.push(signal);
        else this.#handlers[signal]?.();
      });
    }
  }

  handle(handlers: Partial<Record<Signal, () => void>>): void {
    this.#handlers = handlers;
    for (const signal of this.#early) handlers[signal]?.();
  }
}

/** What the command line says goes before what the table says. */
function withFlags({ table, file }: Loaded, flags: Flags): Loaded {
  const listen = flags.list("listen").map((text) => {
    try {
      return parseEndpoint(text);
    } catch (error) {
      throw new TcpmuxError("usage", `--listen: ${messageOf(error)}`);
    }
  });
  const { server, services } = table;
  const format = oneOf("log-format", flags.value("log-format"), [
    "text",
    "json",
  ]);
  const level = oneOf("log-level", flags.value("log-level"), LOG_LEVELS);
  return {
    file,
    table: new Table({
      ...server,
      listen: listen.length > 0 ? listen : server.listen,
      log: {
        format: format ?? server.log.format,
        level: level ?? server.log.level,
      },
    }, services),
  };
}

async function logAdvice(table: Table, file: string, log: Log): Promise<void> {
  for (const problem of await advise(table, file)) {
    log("warn", "the table", { advice: formatProblem(problem) });
  }
}
