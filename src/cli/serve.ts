import { parseListen } from "../parse_endpoint.ts";
import { messageOf, TcpmuxError } from "../errors.ts";
import { advise } from "../services/exec/advice.ts";
import { Table } from "../table/table.ts";
import { getEnv } from "../transport/permission.ts";
import { companionsOf } from "./daemon/companions.ts";
import { runDaemon } from "./daemon/daemon.ts";
import { logOf } from "./daemon/log_target.ts";
import { type CommandLine, readCommandLine, usage } from "./flags.ts";
import { type Loaded, loadTable, TableSource } from "./load.ts";
import { SERVE } from "./spec/servers.ts";
import { Signals } from "./system.ts";

/** What the built-in table listens on: it is mostly served to try tcpmux out. */
const LOCAL = [
  { protocol: "tcpmux", endpoint: undefined, isLocal: true },
] as const;

/** `tcpmux serve`: serves a table until a signal stops it. */
export async function serveCommand(args: readonly string[]): Promise<number> {
  const signals = new Signals(); // first, so that no signal is lost meanwhile
  const line = readCommandLine(args, SERVE, getEnv);
  const { flags, origins } = line;
  if (flags.inetd && flags.listen.length > 0) {
    throw usage(`${origins.listen}: with --inetd, another program listens`);
  }
  const source = new TableSource(flags.config, {
    isStrict: !flags["no-strict-modes"],
  });
  const load = async () => withFlags(await loadTable(source), line);
  if (flags.inetd) {
    const { serveInetd } = await import("./daemon/inetd.ts");
    return await serveInetd({ signals, load });
  }
  return await runDaemon({
    signals,
    load,
    companions: (daemon) => companionsOf(source, daemon),
    inForce: ({ table }, _, log) => {
      if (table.listeners !== LOCAL) return;
      log("info", "only this machine can connect", {
        to_open: "--listen '[::]:1', or a table of your own: --config FILE",
      });
    },
  });
}

/** The table's settings, overridden by the flags. */
function withFlags(
  { table, file, advice }: Loaded,
  { flags, origins }: CommandLine<typeof SERVE>,
): Loaded {
  const listen = flags.listen.map((text) => {
    try {
      return parseListen(text);
    } catch (error) {
      throw new TcpmuxError("usage", `${origins.listen}: ${messageOf(error)}`);
    }
  });
  const { server, services, located } = table;
  const isLocal = flags.config === undefined && listen.length === 0;
  return {
    file,
    // Asked for once it is known that this runtime can serve the table.
    advice: () => [...advice(), ...advise(table, file)],
    table: new Table(
      {
        ...server,
        listen: listen.length > 0 ? listen : server.listen,
        log: { ...server.log, ...logOf(flags) },
      },
      services,
      isLocal ? LOCAL : undefined,
      located !== undefined && listen.length > 0
        ? { ...located, overridden: new Map([["listen", origins.listen]]) }
        : located,
    ),
  };
}
