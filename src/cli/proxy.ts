import { formatEndpoint } from "../endpoint.ts";
import type { Log } from "../log.ts";
import { getEnv } from "../transport/permission.ts";
import { forwardService } from "../table/forwards.ts";
import { Table } from "../table/table.ts";
import type { ProxyListener } from "../table/service.ts";
import { runDaemon } from "./daemon.ts";
import { type CommandLine, readCommandLine, usage } from "./flags.ts";
import { localAddress, localSettings, serverAddress } from "./local.ts";
import { Signals } from "./signals.ts";
import { PROXY } from "./spec/servers.ts";
import { printOut } from "./system.ts";

/** `tcpmux proxy`: the host that is asked for is the service's name. */
export async function proxyCommand(args: readonly string[]): Promise<number> {
  const signals = new Signals(); // first, so that no signal is lost meanwhile
  const line = readCommandLine(args, PROXY, getEnv);
  const { flags } = line;
  const listener = listenerOf(line);
  const table = new Table(localSettings(flags), [listener.service], [listener]);
  return await runDaemon({
    signals,
    load: () => Promise.resolve({ table, file: "the command line" }),
    inForce: (_, { addresses }, log) => {
      const listen = formatEndpoint(addresses[0]!);
      const server = formatEndpoint(listener.service.upstream);
      warnIfOpen(listener, listen, log);
      if (flags.json) printOut(`${JSON.stringify({ listen, server })}\n`);
    },
  });
}

function listenerOf(
  { flags, positionals: [local, server] }: CommandLine<typeof PROXY>,
): ProxyListener {
  const suffix = flags.suffix?.replace(/^\.?/, ".") ?? "";
  if (!/^[\x21-\x7e]*$/.test(suffix)) {
    throw usage(`--suffix is ${JSON.stringify(suffix)}, but is a word as mux`);
  }
  const endpoint = localAddress(local);
  // Each connection puts the name that it asks for in its place.
  const service = forwardService(
    "proxy",
    serverAddress(server),
    "",
    localSettings(flags),
  );
  return { protocol: "proxy", endpoint, service, suffix };
}

/** Warns: without authentication, only the address keeps other machines out. */
function warnIfOpen(
  { endpoint }: ProxyListener,
  address: string,
  log: Log,
): void {
  if (endpoint.transport === "unix") return;
  if (/^(127\.|::1$|localhost$)/.test(endpoint.host)) return;
  log("warn", "whoever reaches this address can use the server's services", {
    address,
  });
}
