import { formatEndpoint } from "../endpoint.ts";
import type { Log } from "../log.ts";
import { forwardService } from "../table/forwards.ts";
import { Table } from "../table/table.ts";
import type { ProxyListener } from "../table/listener.ts";
import { runDaemon } from "./daemon.ts";
import { type Flags, readFlags, usage } from "./flags.ts";
import {
  LOCAL_FLAGS,
  localEnv,
  localSettings,
  localWord,
  serverWord,
} from "./local_flags.ts";
import { Signals } from "./signals.ts";
import { printOut } from "./system.ts";

export const PROXY_FLAGS = {
  ...LOCAL_FLAGS,
  values: ["suffix", ...LOCAL_FLAGS.values],
  words: 2,
};

/** `tcpmux proxy`: the host that is asked for is the service's name. */
export async function proxyCommand(args: readonly string[]): Promise<number> {
  const signals = new Signals(); // first of all, as serve does
  const flags = readFlags(args, PROXY_FLAGS, localEnv);
  const listener = listenerOf(flags);
  const table = new Table(localSettings(flags), [listener.service], [listener]);
  return await runDaemon({
    signals,
    load: () => Promise.resolve({ table, file: "the command line" }),
    inForce: (_, { addresses }, log) => {
      const listen = formatEndpoint(addresses[0]!);
      const server = formatEndpoint(listener.service.upstream);
      warnIfOpen(listener, listen, log);
      if (flags.on("json")) printOut(`${JSON.stringify({ listen, server })}\n`);
    },
  });
}

function listenerOf(flags: Flags): ProxyListener {
  const [local, server] = flags.words;
  if (local === undefined || server === undefined) {
    throw usage("proxy takes where to listen and a server: LOCAL HOST[:PORT]");
  }
  const suffix = flags.value("suffix")?.replace(/^\.?/, ".") ?? "";
  if (!/^[\x21-\x7e]*$/.test(suffix)) {
    throw usage(`--suffix is ${JSON.stringify(suffix)}, but is a word as mux`);
  }
  const endpoint = localWord(local);
  // Each connection gives it the name that it asks for.
  const service = forwardService(
    "as asked",
    serverWord(server),
    "as asked",
    localSettings(flags),
  );
  return { protocol: "proxy", endpoint, service, suffix };
}

/** There is no authentication: the address is all that keeps others out. */
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
