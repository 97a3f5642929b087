import { parseEndpoint } from "../endpoint.ts";
import { messageOf, TcpmuxError } from "../errors.ts";
import type { Log } from "../log.ts";
import { advise } from "../services/exec/advice.ts";
import { formatProblem } from "../table/problem.ts";
import { Table } from "../table/table.ts";
import { getEnv } from "../transport/permission.ts";
import { LOG_FLAGS, logOf, runDaemon } from "./daemon.ts";
import { type Flags, readFlags } from "./flags.ts";
import { type Loaded, loadTable } from "./load.ts";
import { Signals } from "./signals.ts";

export const SERVE_FLAGS = {
  values: ["config", ...LOG_FLAGS],
  lists: ["listen"],
  short: { c: "config", l: "listen" },
  words: 0,
};

/** `tcpmux serve`: serves until it is told to stop. */
export async function serveCommand(args: readonly string[]): Promise<number> {
  const signals = new Signals(); // first of all: see RUNTIMES in the README
  const flags = readFlags(args, SERVE_FLAGS, getEnv);
  return await runDaemon({
    signals,
    load: async () => withFlags(await loadTable(flags.value("config")), flags),
    inForce: ({ table, file }, _, log) => logAdvice(table, file, log),
  });
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
  return {
    file,
    table: new Table(
      {
        ...server,
        listen: listen.length > 0 ? listen : server.listen,
        log: { ...server.log, ...logOf(flags) },
      },
      services,
      undefined,
      table.located,
    ),
  };
}

function logAdvice(table: Table, file: string, log: Log): void {
  for (const problem of advise(table, file)) {
    log("warn", "the table", { advice: formatProblem(problem) });
  }
}
