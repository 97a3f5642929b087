/** forward and proxy: they listen for clients of this machine. */
import { type Endpoint, formatEndpoint, isLoopback } from "../endpoint.ts";
import type { Log } from "../log.ts";
import type { MuxServer } from "../server.ts";
import {
  defaultSettings,
  forwardService,
  forwardTable,
  type ForwardTo,
  LOCAL_FORMS,
  parseForwards,
  proxyListener,
  readLocal,
  readSuffix,
  SUFFIX_FORM,
} from "../table/forwards.ts";
import {
  type ForwardListener,
  listenerKey,
  type ProxyListener,
  type ProxyVersion,
} from "../table/service.ts";
import { isName, NAME_RULE } from "../table/schema.ts";
import { type ServerSettings, Table } from "../table/table.ts";
import { getEnv } from "../transport/permission.ts";
import { runDaemon } from "./daemon/daemon.ts";
import { logOf } from "./daemon/log_target.ts";
import {
  type CommandLine,
  type FlagsOf,
  readCommandLine,
  usage,
} from "./flags.ts";
import { type Loaded, TableSource } from "./load.ts";
import { remoteOf, type TlsFlags } from "./remote/remote.ts";
import type { LOCAL_FLAGS } from "./spec/parts.ts";
import { FORWARD, PROXY } from "./spec/servers.ts";
import { Signals } from "./system.ts";

/** What the log calls the table where there is no file. */
const NO_FILE = "the command line";

/** `tcpmux forward`: local addresses that each lead to a service. */
export async function forwardCommand(args: readonly string[]): Promise<number> {
  const signals = new Signals(); // first, so that no signal is lost meanwhile
  const line = readCommandLine(args, FORWARD, getEnv);
  const { config, "no-strict-modes": isLax } = line.flags;
  const source = config === undefined
    ? undefined
    : new TableSource(config, { isStrict: !isLax });
  return await runDaemon({
    signals,
    load: () => loadForwards(line, source),
    inForce: ({ table }, server) =>
      line.flags.json ? forwardsInForce(table, server) : undefined,
  });
}

async function loadForwards(
  { flags, positionals }: CommandLine<typeof FORWARD>,
  source: TableSource | undefined,
): Promise<Loaded> {
  const pairs = positionals.filter((word) => word.includes("="));
  const [server, extra] = serverAmong(
    positionals.filter((word) => !word.includes("=")),
  );
  if (extra !== undefined) {
    throw usage(
      `unexpected argument ${JSON.stringify(extra)}: forward takes one server`,
    );
  }
  const upstream = server === undefined
    ? undefined
    : await forwardTo(server, flags);
  if (upstream === undefined) refuseTls(flags);
  if (source === undefined) {
    if (pairs.length === 0 || upstream === undefined) {
      const forwards = pairs.length === 0 ? "5432=postgres" : pairs.join(" ");
      throw usage(
        "forward needs LOCAL=SERVICE and a server, or --config FILE: " +
          `for example tcpmux forward ${forwards} ${server ?? "HOST"}`,
      );
    }
    return {
      table: tableOf(pairs, upstream, flags),
      file: NO_FILE,
      advice: () => [],
    };
  }
  if (pairs.length > 0) {
    throw usage(
      `${pairs[0]}: with --config, write the forward into the file`,
    );
  }
  const { name: file } = source;
  const table = parseForwards(await source.read(), file, {
    server: upstream,
    proxyProtocol: proxyVersionOf(flags),
    settings: (base) => localSettings(flags, base),
  });
  return { table, file, advice: () => source.advice };
}

/**
 * The words without `=`: the server, and what is too many.
 *
 * @throws {TcpmuxError} code `usage`, where one is a local address instead
 */
function serverAmong(words: readonly string[]): readonly string[] {
  const local = words.find((word) => /^\d+(:[^:]+)?$/.test(word)) ??
    words.slice(0, -1).find((word) => typeof readLocal(word) !== "string");
  if (local === undefined) return words;
  const server = words.find((word) => word !== local) ?? "HOST";
  // As ssh -L has it: PORT:SERVICE.
  const [port, service = "SERVICE"] = /^\d+:/.test(local)
    ? local.split(":")
    : [local];
  throw usage(
    `${local} is not LOCAL=SERVICE: write for example tcpmux forward ` +
      `${port}=${service} ${server}; tcpmux list ${server} prints the services`,
  );
}

function tableOf(
  pairs: readonly string[],
  upstream: ForwardTo,
  flags: FlagsOf<typeof FORWARD>,
): Table {
  const settings = localSettings(flags);
  const keys = { proxy_protocol: proxyVersionOf(flags) };
  const taken = new Set<string>();
  const listeners = pairs.map((pair): ForwardListener => {
    const cut = pair.indexOf("=");
    const local = pair.slice(0, cut);
    const name = pair.slice(cut + 1);
    if (!isName(name)) {
      throw usage(
        `${pair}: ${
          JSON.stringify(name)
        } is not a valid service name (${NAME_RULE})`,
      );
    }
    const service = forwardService(name, upstream, name, settings, keys);
    const endpoint = localAddress(local);
    const listener: ForwardListener = {
      protocol: "forward",
      endpoint,
      service,
    };
    if (taken.has(listenerKey(listener))) {
      throw usage(`${pair}: ${formatEndpoint(endpoint)} is given twice`);
    }
    taken.add(listenerKey(listener));
    return listener;
  });
  return forwardTable(listeners, settings);
}

/** What `--json` prints: what can be used now, with the real ports. */
function forwardsInForce({ listeners }: Table, server: MuxServer): object {
  const all = listeners as readonly ForwardListener[];
  const forwards = all.flatMap((listener) =>
    server.addressesOf(listener).map((address) => ({
      name: listener.service.name,
      listen: formatEndpoint(address),
      server: formatEndpoint(listener.service.upstream),
      service: listener.service.remoteName,
    }))
  );
  return { forwards };
}

/** `tcpmux proxy`: the host that is asked for is the service's name. */
export async function proxyCommand(args: readonly string[]): Promise<number> {
  const signals = new Signals(); // first, so that no signal is lost meanwhile
  const line = readCommandLine(args, PROXY, getEnv);
  const { flags } = line;
  const server = await forwardTo(line.positionals[1], flags);
  const listener = listenerOf(line, server);
  const table = new Table(localSettings(flags), [listener.service], [listener]);
  return await runDaemon({
    signals,
    load: () => Promise.resolve({ table, file: NO_FILE, advice: () => [] }),
    inForce: (_, { addresses }, log) => {
      const listen = formatEndpoint(addresses[0]!);
      const server = formatEndpoint(listener.service.upstream);
      warnIfOpen(listener, listen, log);
      return flags.json ? { listen, server } : undefined;
    },
  });
}

function listenerOf(
  { flags, positionals: [local] }: CommandLine<typeof PROXY>,
  server: ForwardTo,
): ProxyListener {
  const { suffix, isSound } = readSuffix(flags.suffix);
  if (!isSound) {
    throw usage(
      `--suffix is ${JSON.stringify(suffix)}; allowed: ${SUFFIX_FORM}`,
    );
  }
  const endpoint = localAddress(local);
  return proxyListener(
    endpoint,
    server,
    suffix,
    localSettings(flags),
    { proxy_protocol: proxyVersionOf(flags) },
  );
}

/** Warns: without authentication, only the address keeps other machines out. */
function warnIfOpen(
  { endpoint }: ProxyListener,
  address: string,
  log: Log,
): void {
  if (endpoint.transport === "unix") return;
  if (isLoopback(endpoint.host)) return;
  log("warn", "anyone who can connect here can use the server's services", {
    address,
  });
}

type LocalFlags = FlagsOf<
  { name: string; positionals: []; flags: typeof LOCAL_FLAGS }
>;

/** The version of the PROXY protocol by which the server learns of clients. */
function proxyVersionOf(flags: LocalFlags): ProxyVersion | undefined {
  const version = flags["proxy-protocol"];
  return version === undefined ? undefined : version === "1" ? 1 : 2;
}

/** The settings of a file, or the defaults, overridden by the flags. */
function localSettings(
  flags: LocalFlags,
  base: ServerSettings = defaultSettings(),
): ServerSettings {
  return {
    ...base,
    ...given({
      connectTimeout: flags["connect-timeout"],
      idleTimeout: flags["idle-timeout"],
      drainTimeout: flags["drain-timeout"],
    }),
    limits: {
      ...base.limits,
      ...given({ maxConnections: flags["max-connections"] }),
    },
    log: { ...base.log, ...logOf(flags) },
  };
}

/** The members that are not undefined. */
function given<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

/** An address to listen on. @throws {TcpmuxError} code `usage` */
function localAddress(text: string): Endpoint {
  const endpoint = readLocal(text);
  if (typeof endpoint !== "string") return endpoint;
  throw usage(
    `${
      JSON.stringify(text)
    } is not an address to listen on (${LOCAL_FORMS}): ` +
      endpoint,
  );
}

/** The TCPMUX server that is meant. @throws {TcpmuxError} code `usage` */
async function forwardTo(text: string, flags: TlsFlags): Promise<ForwardTo> {
  const remote = await remoteOf(text, flags);
  if (remote.service === undefined) return remote;
  throw usage(`${text} names a service, which is named apart here`);
}

/** Without a server, flags of TLS would have no effect. */
function refuseTls({ tls, ...flags }: LocalFlags): void {
  const names = ["ca", "cert", "key", "pin", "server-name"] as const;
  const given = tls ? "tls" : names.find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  throw usage(
    `--${given} goes with a server on the command line (a file has the key tls)`,
  );
}
