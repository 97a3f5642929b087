/** forward and proxy as functions: they listen for clients of this machine. */
import type { Endpoint } from "../endpoint.ts";
import { endpointText, readTarget, SERVER_FORMS } from "../parse_endpoint.ts";
import { type ServeOptions, type Server, start } from "../serve.ts";
import {
  checkAddresses,
  defaultSettings,
  forwardService,
  forwardTable,
  type ForwardTo,
  LOCAL_FORMS,
  proxyListener,
  readLocal,
  readSuffix,
  SUFFIX_FORM,
} from "../table/forwards.ts";
import { Problems } from "../table/problem.ts";
import { isName, NAME_RULE } from "../table/schema.ts";
import type { ForwardListener } from "../table/service.ts";
import { type ServerSettings, Table } from "../table/table.ts";
import { type ClientTls, demandsOf } from "../transport/net/tls/demands.ts";
import { type Duration, millisecondsOf } from "../units.ts";

/** How {@linkcode forward} and {@linkcode proxy} serve. */
export interface LocalOptions extends ServeOptions {
  /**
   * The time within which the server must answer: milliseconds, or text such
   * as `"5s"`; 0 for no limit.
   * @default "5s"
   */
  connectTimeout?: Duration;
  /**
   * The time without a byte in either direction after which a session is ended:
   * milliseconds, or text such as `"1h"`; 0 for no limit.
   * @default 0
   */
  idleTimeout?: Duration;
  /**
   * The time that the sessions under way get to end when `close` is called:
   * milliseconds, or text such as `"5s"`; 0 for none.
   * @default "30s"
   */
  drainTimeout?: Duration;
  /**
   * TLS with the server, as for `connect`.
   * @default false, and true for `tcpmuxs://`
   */
  tls?: boolean | ClientTls;
  /**
   * The version of the PROXY protocol by whose header the server learns the
   * address of each client; the server must expect it.
   * @default no header
   */
  proxyProtocol?: 1 | 2;
}

/** How {@linkcode proxy} serves. */
export interface ProxyOptions extends LocalOptions {
  /**
   * A suffix that the name of a host may have, such as `.mux`.
   * @default none
   */
  suffix?: string;
}

/** What {@linkcode forward} and {@linkcode proxy} have started. */
export type LocalServer = Omit<Server, "reload">;

/** A port of 127.0.0.1, an address as text, or an {@linkcode Endpoint}. */
export type LocalAddress = number | string | Endpoint;

/**
 * Listens for clients that do not speak TCPMUX, as `tcpmux forward` does: a
 * client that connects to a local address gets the service of that address.
 *
 * @param server as for `connect`
 * @param services the names of services of that server, each with the address
 * to listen on: `PORT` (on 127.0.0.1), `HOST:PORT`, `[V6]:PORT`, `unix:/path`,
 * `unix:@name`, or an {@linkcode Endpoint}
 * @returns what has started; its `addresses` are in the order of `services`,
 * several of one service where it listens on a host name that has several
 * @throws {TableError} where an address or a name is wrong, with every problem
 * @throws {TcpmuxError} for an address that cannot be listened on, as `serve`
 * @throws {TypeError} for an option that is no duration
 *
 * @example
 * ```ts
 * import { forward, serve } from "./mod.ts";
 *
 * const server = await serve({
 *   server: { listen: "127.0.0.1:0" },
 *   services: { postgres: { connect: "127.0.0.1:5432" } },
 * });
 * const local = await forward(server.addresses[0]!, { postgres: 0 });
 * console.log(local.addresses); // where psql connects to
 * await local.close();
 * await server.close();
 * ```
 */
export async function forward(
  server: string | Endpoint,
  services: Readonly<Record<string, LocalAddress>>,
  options: LocalOptions = {},
): Promise<LocalServer> {
  const settings = settingsOf(options);
  const problems = new Problems();
  const keys = keysOf(options, problems);
  const upstream = serverOf(server, options, problems);
  const listeners = Object.entries(services).map(
    ([name, local]): ForwardListener => {
      if (!isName(name)) {
        problems.add(
          [name],
          `is not a valid service name; allowed: ${NAME_RULE}`,
        );
      }
      const service = forwardService(name, upstream, name, settings, keys);
      const endpoint = localOf(name, local, problems);
      return { protocol: "forward", endpoint, service };
    },
  );
  if (listeners.length === 0) {
    problems.add([], "no service is named, so there is nothing to forward");
  } else if (problems.all.length === 0) {
    checkAddresses(listeners, problems, (name) => [name]);
  }
  problems.throwIfAny();
  return await start(forwardTable(listeners, settings), options);
}

/**
 * Listens for clients of SOCKS5 and HTTP proxies, as `tcpmux proxy` does: the
 * host that they ask for is the name of the service.
 *
 * Clients need no password: an address that other machines reach opens the
 * server's services to them.
 *
 * @param listen as an address of {@linkcode forward}
 * @param server as for `connect`
 * @returns what has started
 * @throws {TableError} where an address or the suffix is wrong, with every
 * problem
 * @throws {TcpmuxError} for an address that cannot be listened on, as `serve`
 * @throws {TypeError} for an option that is no duration
 */
export async function proxy(
  listen: LocalAddress,
  server: string | Endpoint,
  options: ProxyOptions = {},
): Promise<LocalServer> {
  const settings = settingsOf(options);
  const problems = new Problems();
  const keys = keysOf(options, problems);
  const upstream = serverOf(server, options, problems);
  const endpoint = localOf("listen", listen, problems);
  const { suffix, isSound } = readSuffix(options.suffix);
  if (!isSound) {
    problems.add(
      ["suffix"],
      `is ${JSON.stringify(suffix)}; allowed: ${SUFFIX_FORM}`,
    );
  }
  problems.throwIfAny();
  const listener = proxyListener(endpoint, upstream, suffix, settings, keys);
  const table = new Table(settings, [listener.service], [listener]);
  return await start(table, options);
}

/** Stands for an address that is wrong, until the problems are thrown. */
const NOWHERE: Endpoint = { transport: "unix", path: "" };

function serverOf(
  server: string | Endpoint,
  { tls }: LocalOptions,
  problems: Problems,
): ForwardTo {
  const read = (text: string) => {
    const target = readTarget(text, tls !== undefined && tls !== false);
    if (typeof target === "string") return target;
    if (target.service !== undefined) return "a service is named apart";
    return target.tls && tls === false
      ? "it is reached by TLS, but tls is false"
      : target;
  };
  const target = addressOf("server", server, read, SERVER_FORMS, problems) ??
    { endpoint: NOWHERE, tls: false, service: undefined };
  return { ...target, demands: demandsOf(tls ?? target.tls) };
}

function localOf(
  key: string,
  local: LocalAddress,
  problems: Problems,
): Endpoint {
  const text = typeof local === "number" ? String(local) : local;
  return addressOf(key, text, readLocal, LOCAL_FORMS, problems) ?? NOWHERE;
}

/** Undefined for what is none, of which there is a problem then. */
function addressOf<A extends object>(
  key: string,
  given: string | Endpoint,
  read: (text: string) => A | string,
  forms: string,
  problems: Problems,
): A | undefined {
  const text = typeof given === "string" ? given : endpointText(given);
  const address = text === undefined ? "it is not an address" : read(text);
  if (typeof address !== "string") return address;
  const shown = JSON.stringify(given) ?? String(given);
  problems.add([key], `is ${shown}; allowed: ${forms} (${address})`);
}

function keysOf({ proxyProtocol }: LocalOptions, problems: Problems) {
  if (![undefined, 1, 2].includes(proxyProtocol)) {
    const shown = JSON.stringify(proxyProtocol);
    problems.add(["proxyProtocol"], `is ${shown}; allowed: 1 or 2`);
  }
  return { proxy_protocol: proxyProtocol };
}

function settingsOf(options: LocalOptions): ServerSettings {
  const settings = { ...defaultSettings() };
  for (
    const name of ["connectTimeout", "idleTimeout", "drainTimeout"] as const
  ) {
    const value = options[name];
    if (value !== undefined) settings[name] = millisecondsOf(name, value);
  }
  return settings;
}
