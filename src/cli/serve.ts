import { parseListen } from "../parse_endpoint.ts";
import { messageOf, TcpmuxError } from "../errors.ts";
import { advise } from "../services/exec/advice.ts";
import { Table } from "../table/table.ts";
import { getEnv } from "../transport/permission.ts";
import type { Companion } from "./daemon/companion.ts";
import { ControlCompanion } from "./control/companion.ts";
import { AdminCompanion } from "./daemon/admin_companion.ts";
import { type Daemon, logOf, runDaemon } from "./daemon/daemon.ts";
import { StatusCompanion } from "./daemon/status_companion.ts";
import { type FlagsOf, readCommandLine, usage } from "./flags.ts";
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
  const { flags } = readCommandLine(args, SERVE, getEnv);
  if (flags.inetd && flags.listen.length > 0) {
    throw usage("--listen: with --inetd, another program listens");
  }
  const source = new TableSource(flags.config, {
    isStrict: !flags["no-strict-modes"],
  });
  const load = async () => withFlags(await loadTable(source), flags);
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

/** Each is imported only where it is asked for. */
async function companionsOf(
  source: TableSource,
  daemon: Daemon,
): Promise<readonly Companion[]> {
  const status = new StatusCompanion(daemon);
  const all: Companion[] = [
    status,
    new AdminCompanion(daemon, status.source),
    new ControlCompanion(daemon, status.source),
    watchFor(source, daemon),
  ];
  const socket = getEnv("NOTIFY_SOCKET");
  if (socket !== undefined) {
    const { SystemdNotifier } = await import("./daemon/notifier.ts");
    all.push(new SystemdNotifier(daemon, socket, getEnv));
  }
  return all;
}

/** A watch on the table's files, made when a table first asks for it. */
function watchFor(source: TableSource, daemon: Daemon): Companion {
  let watch: Companion | undefined;
  return {
    prepare: async (next) => {
      if (next.table.server.watch && watch === undefined) {
        const { TableWatch } = await import("./watch/table_watch.ts");
        watch = new TableWatch(source, daemon);
      }
      return await watch?.prepare?.(next);
    },
    reloaded: (error) => watch?.reloaded?.(error),
    draining: () => watch?.draining?.(),
    close: () => watch?.close?.(),
  };
}

/** The table's settings, overridden by the flags. */
function withFlags(
  { table, file, advice }: Loaded,
  flags: FlagsOf<typeof SERVE>,
): Loaded {
  const listen = flags.listen.map((text) => {
    try {
      return parseListen(text);
    } catch (error) {
      throw new TcpmuxError("usage", `--listen: ${messageOf(error)}`);
    }
  });
  const { server, services } = table;
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
      table.located,
    ),
  };
}
