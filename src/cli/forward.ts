import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import type { MuxServer } from "../server.ts";
import type { Table } from "../table/table.ts";
import { type ForwardListener, listenerKey } from "../table/service.ts";
import {
  forwardService,
  forwardTable,
  parseForwards,
} from "../table/forwards.ts";
import { isName, NAME_RULE } from "../table/schema.ts";
import { getEnv } from "../transport/permission.ts";
import { runDaemon } from "./daemon.ts";
import {
  type CommandLine,
  type FlagsOf,
  readCommandLine,
  usage,
} from "./flags.ts";
import { type Loaded, readTableFile } from "./load.ts";
import { localAddress, localSettings, serverAddress } from "./local.ts";
import { Signals } from "./signals.ts";
import { FORWARD } from "./spec/servers.ts";
import { printOut } from "./system.ts";

/** What the log calls the table where there is no file. */
const NO_FILE = "the command line";

/** `tcpmux forward`: local addresses that each lead to a service. */
export async function forwardCommand(args: readonly string[]): Promise<number> {
  const signals = new Signals(); // first, so that no signal is lost meanwhile
  const line = readCommandLine(args, FORWARD, getEnv);
  return await runDaemon({
    signals,
    load: () => load(line),
    inForce: ({ table }, server) => {
      if (line.flags.json) {
        printOut(`${JSON.stringify(inForce(table, server))}\n`);
      }
    },
  });
}

async function load(
  { flags, positionals }: CommandLine<typeof FORWARD>,
): Promise<Loaded> {
  const file = flags.config;
  const pairs = positionals.filter((word) => word.includes("="));
  const [server, extra] = positionals.filter((word) => !word.includes("="));
  if (extra !== undefined) {
    throw usage(
      `${JSON.stringify(extra)} is neither LOCAL=SERVICE nor the one server`,
    );
  }
  const upstream = server === undefined ? undefined : serverAddress(server);
  if (file === undefined) {
    if (pairs.length === 0 || upstream === undefined) {
      throw usage(
        "forward takes LOCAL=SERVICE… and a server, HOST[:PORT], or --config FILE",
      );
    }
    return { table: tableOf(pairs, upstream, flags), file: NO_FILE };
  }
  if (pairs.length > 0) {
    throw usage(
      `${
        JSON.stringify(pairs[0])
      }: with --config all forwards stand in the file`,
    );
  }
  const table = parseForwards(await readTableFile(file), file, {
    server: upstream,
    settings: (base) => localSettings(flags, base),
  });
  return { table, file };
}

function tableOf(
  pairs: readonly string[],
  upstream: Endpoint,
  flags: FlagsOf<typeof FORWARD>,
): Table {
  const settings = localSettings(flags);
  const taken = new Set<string>();
  const listeners = pairs.map((pair): ForwardListener => {
    const cut = pair.indexOf("=");
    const local = pair.slice(0, cut);
    const name = pair.slice(cut + 1);
    if (!isName(name)) {
      throw usage(
        `${pair}: ${
          JSON.stringify(name)
        } is no name for a service (${NAME_RULE})`,
      );
    }
    const service = forwardService(name, upstream, name, settings);
    const endpoint = localAddress(local);
    const listener: ForwardListener = {
      protocol: "forward",
      endpoint,
      service,
    };
    if (taken.has(listenerKey(listener))) {
      throw usage(`${pair}: ${formatEndpoint(endpoint)} is said twice`);
    }
    taken.add(listenerKey(listener));
    return listener;
  });
  return forwardTable(listeners, settings);
}

/** What `--json` prints: what can be used now, with the real ports. */
function inForce({ listeners }: Table, { addresses }: MuxServer): object {
  const forwards = (listeners as readonly ForwardListener[]).map((
    { service },
    index,
  ) => ({
    name: service.name,
    listen: formatEndpoint(addresses[index]!),
    server: formatEndpoint(service.upstream),
    service: service.remoteName,
  }));
  return { forwards };
}
