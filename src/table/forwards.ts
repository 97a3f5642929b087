/** The file of `tcpmux forward`: its keys, and the table that it makes. */
import * as v from "valibot";
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import {
  readBehindScheme,
  readEndpoint,
  readTarget,
  SERVER_FORMS,
  type ServerTarget,
} from "../parse_endpoint.ts";
import { readDocument } from "./files/document.ts";
import {
  asObject,
  onlyKeys,
  optional,
  preset,
  required,
  table,
  validated,
} from "./keys.ts";
import type { KeyPath, Located, Problems } from "./problem.ts";
import { resolveServer, resolveService } from "./resolve.ts";
import { commonSchema, NAME_RULE, nameSchema } from "./schema.ts";
import {
  proxyProtocol,
  relayTimes,
  serverSchema,
  TIMES,
} from "./server_schema.ts";
import {
  type ForwardListener,
  listenerKey,
  type ProxyListener,
  type ProxyVersion,
  type TcpmuxService,
} from "./service.ts";
import { upstreamTls, type UpstreamTlsSettings } from "./steps/upstream_tls.ts";
import { type ServerSettings, Table } from "./table.ts";
import { duration, limit, oneOrMore, transformed } from "./values.ts";

/** The forms of an address to listen on for clients of this machine. */
export const LOCAL_FORMS =
  "PORT (on 127.0.0.1), HOST:PORT, [V6]:PORT, unix:/path or unix:@name";

/** @returns the address, or what is wrong with the text */
export function readLocal(text: string): Endpoint | string {
  return readEndpoint(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
}

const server = transformed((text) => readTarget(text), SERVER_FORMS, "address");

export const settingsSchema = table({
  ...v.pick(serverSchema, [
    "connect_timeout",
    "idle_timeout",
    "half_closed_timeout",
    "stall_timeout",
    "drain_timeout",
    "max_duration",
    "max_connections",
    "max_connections_per_source",
    "rate_per_source",
    "ipv6_source_prefix",
    "allow",
    "deny",
    "trusted_proxies",
    "log",
  ]).entries,
  // All clients of a machine have one address.
  max_connections_per_source: preset(
    limit("connections"),
    0,
    "The maximum number of connections from one address at a time; `0` for " +
      "no limit.",
  ),
  default_server: optional(
    server,
    "none",
    "The server of forwards without `server`. A server on the command line " +
      "overrides it.",
  ),
});

/** An address of a forward in a file. */
const listenAddress = transformed(
  (text) => readBehindScheme(text, readLocal),
  `${LOCAL_FORMS}, each also behind proxy://`,
  "address",
);

const SERVERS = "that of `[server]`";

export const forwardSchema = table({
  listen: required(
    oneOrMore(listenAddress),
    "The addresses to listen on. A port alone, in quotes, is a port of " +
      "127.0.0.1. Behind `proxy://`, every connection must begin with the " +
      "header of the PROXY protocol.",
  ),
  server: optional(
    server,
    "`default_server`",
    "The TCPMUX server; the default port is 1, and 10001 in a URL " +
      "`tcpmuxs://HOST`, for TLS. A URL may name the service as well.",
  ),
  service: optional(
    nameSchema,
    "that of the URL, or the forward's name",
    "The name of the service at that server.",
  ),
  connect_timeout: optional(duration(), SERVERS, TIMES.connect_timeout),
  ...relayTimes(SERVERS),
  tls: upstreamTls,
  proxy_protocol: proxyProtocol,
});

type Forward = v.InferOutput<typeof forwardSchema>;
type ForwardKeys = Partial<Omit<Forward, "listen" | "server" | "service">>;

/** A server that forwards lead to. */
export interface ForwardTo extends ServerTarget {
  /** Whom it must be, where not what is usual with TLS. */
  readonly demands?: UpstreamTlsSettings | undefined;
}

/** The command line, which takes precedence over the file. */
export interface ForwardOptions {
  /** Takes precedence over all forwards' own. */
  readonly proxyProtocol?: ProxyVersion | undefined;
  /** The server of forwards that name none. */
  readonly server?: ForwardTo | undefined;
  /** Changes the settings of `[server]` as the command line says. */
  readonly settings: (ofFile: ServerSettings) => ServerSettings;
}

/** The settings of forwards that `[server]` says nothing of. */
export function defaultSettings(): ServerSettings {
  return resolveSettings(v.parse(settingsSchema, {}));
}

function resolveSettings(
  valid: v.InferOutput<typeof settingsSchema>,
): ServerSettings {
  return resolveServer({ ...v.parse(serverSchema, {}), ...valid });
}

/**
 * Reads the forwards of a file: `[forward.NAME]`, and `[server]` for all.
 *
 * @throws {TableError} with every problem, each with its line
 */
export function parseForwards(
  text: string,
  file: string,
  options: ForwardOptions,
): Table {
  const { value, problems, located } = readDocument(text, file);
  onlyKeys(value, ["server", "forward"], problems);
  const above = asObject(value["server"] ?? {}, ["server"], problems);
  const valid = validated(settingsSchema, above, ["server"], problems) ??
    v.parse(settingsSchema, {});
  const settings = options.settings(resolveSettings(valid));
  const all = { ...options, server: options.server ?? valid.default_server };
  const entries = asObject(value["forward"] ?? {}, ["forward"], problems);
  if (Object.keys(entries).length === 0) {
    problems.add(["forward"], "is empty; needed: a table [forward.NAME]");
  }
  const listeners = Object.entries(entries).flatMap(([name, entry]) =>
    listenersOf(name, entry, settings, all, problems)
  );
  checkAddresses(listeners, problems);
  problems.throwIfAny();
  // Objects move keys such as "7" to their front, so the order of the forwards
  // comes from their lines in the file.
  const line = ({ service }: ForwardListener) =>
    problems.lineOf(["forward", service.name]) ?? 0;
  listeners.sort((a, b) => line(a) - line(b));
  return forwardTable(listeners, settings, located);
}

function listenersOf(
  name: string,
  entry: unknown,
  settings: ServerSettings,
  { server: fallback, proxyProtocol }: ForwardOptions,
  problems: Problems,
): ForwardListener[] {
  const path = ["forward", name];
  if (!v.is(nameSchema, name)) {
    problems.add(path, `is not a valid service name; allowed: ${NAME_RULE}`);
  }
  const before = problems.all.length;
  const object = asObject(entry, path, problems);
  if (problems.all.length > before) return [];
  const valid = validated(forwardSchema, object, path, problems);
  if (valid === undefined) return [];
  const {
    listen,
    server: upstream = fallback,
    service: remoteName = upstream?.service ?? name,
    ...keys
  } = valid;
  if (upstream?.tls && keys.tls === false) {
    const why = "is false; allowed: true or a table, as tcpmuxs:// is TLS";
    problems.add([...path, "tls"], why);
  }
  if (upstream === undefined) {
    problems.add(
      path,
      `needs a server: set server here, or default_server in [server] ` +
        `(${SERVER_FORMS})`,
    );
    return [];
  }
  const service = forwardService(name, upstream, remoteName, settings, {
    ...keys,
    ...(proxyProtocol === undefined ? {} : { proxy_protocol: proxyProtocol }),
  });
  return (Array.isArray(listen) ? listen : [listen])
    .map((endpoint) => ({ protocol: "forward", endpoint, service }));
}

/** A service of the kind `tcpmux`, as a service table makes it. */
export function forwardService(
  name: string,
  { endpoint: upstream, tls: isTls, demands }: ForwardTo,
  remoteName: string,
  settings: ServerSettings,
  keys: ForwardKeys = {},
): TcpmuxService {
  const valid = {
    ...v.parse(commonSchema, {}),
    tcpmux: { upstream, remoteName, isTls },
    ...keys,
  };
  const made = resolveService(name, "tcpmux", valid, settings) as TcpmuxService;
  return demands === undefined ? made : { ...made, tls: demands };
}

/** The form of that suffix, for messages. */
export const SUFFIX_FORM =
  "printable ASCII characters without blanks, such as mux";

/** The suffix of a proxy's hosts, with its dot, and whether it can be one. */
export function readSuffix(
  text: string | undefined,
): { readonly suffix: string; readonly isSound: boolean } {
  const suffix = text?.replace(/^\.?/, ".") ?? "";
  return { suffix, isSound: /^[\x21-\x7e]*$/.test(suffix) };
}

/**
 * A proxy listener. Its service has no remote name; each connection fills in
 * the name that its client asks for.
 */
export function proxyListener(
  endpoint: Endpoint,
  upstream: ForwardTo,
  suffix: string,
  settings: ServerSettings,
  keys: ForwardKeys = {},
): ProxyListener {
  const service = forwardService("proxy", upstream, "", settings, keys);
  return { protocol: "proxy", endpoint, service, suffix };
}

/** A table of listeners that lead to one service each. */
export function forwardTable(
  listeners: readonly ForwardListener[],
  settings: ServerSettings,
  located?: Located,
): Table {
  const services = [...new Set(listeners.map(({ service }) => service))];
  return new Table(settings, services, listeners, located);
}

/** Adds problems for addresses that two forwards have. */
export function checkAddresses(
  listeners: readonly ForwardListener[],
  problems: Problems,
  pathOf: (name: string) => KeyPath = (name) => ["forward", name, "listen"],
): void {
  const owners = new Map<string, string>();
  for (const listener of listeners) {
    const { name } = listener.service;
    const owner = owners.get(listenerKey(listener));
    if (owner !== undefined) {
      problems.add(
        pathOf(name),
        `${
          formatEndpoint(listener.endpoint)
        } is already used by the forward ${owner}`,
      );
    }
    owners.set(listenerKey(listener), name);
  }
}
