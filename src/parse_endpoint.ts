/** Addresses as people write them. */
import { isIP } from "node:net";
import {
  type Endpoint,
  formatEndpoint,
  TCPMUX_PORT,
  TCPMUXS_PORT,
  type UnixEndpoint,
} from "./endpoint.ts";
import { TcpmuxError } from "./errors.ts";

/** The forms of an address, for messages. */
export const ENDPOINT_FORMS = "HOST:PORT, [V6]:PORT, unix:/path or unix:@name";

/** The forms of an address to listen on, for messages. */
export const LISTEN_FORMS = "HOST:PORT, [V6]:PORT, unix:/path, unix:@name, " +
  "systemd or systemd:NAME, each also behind tls://, tls-or-plain://, " +
  "proxy://, proxy+tls:// or proxy+tls-or-plain://";

/** Sockets that listen already, which systemd has handed over. */
export interface SystemdSockets {
  readonly transport: "systemd";
  /** Those of this `FileDescriptorName=`; undefined for all of them. */
  readonly name: string | undefined;
}

/** Where a server listens, and what comes before the request there. */
export type ListenAddress = (Endpoint | SystemdSockets) & ListenSteps;

/** What a client and those before it send ahead of the request, in this order. */
export interface ListenSteps {
  /** The header of the PROXY protocol. */
  readonly proxyHeader?: true;
  /** TLS, or what the first byte of each client shows: TLS or none. */
  readonly tls?: true | "or-plain";
}

/** By the scheme of the address. */
const STEPS: Readonly<Record<string, ListenSteps>> = {
  "": {},
  "tls://": { tls: true },
  "tls-or-plain://": { tls: "or-plain" },
  "proxy://": { proxyHeader: true },
  "proxy+tls://": { proxyHeader: true, tls: true },
  "proxy+tls-or-plain://": { proxyHeader: true, tls: "or-plain" },
};

/** The scheme that says what comes ahead of a request; empty for nothing. */
export function schemeOf({ proxyHeader, tls }: ListenSteps): string {
  return Object.keys(STEPS).find((scheme) =>
    STEPS[scheme]!.proxyHeader === proxyHeader && STEPS[scheme]!.tls === tls
  )!;
}

/** An address to listen on, or what is wrong with the text. */
export function readListen(text: string): ListenAddress | string {
  return readBehindScheme(text, readPlace);
}

/** An address, with what its scheme stands for, or what is wrong with the text. */
export function readBehindScheme<A extends object>(
  text: string,
  read: (text: string) => A | string,
): A & ListenSteps | string {
  const [scheme = ""] = /^(proxy|(proxy\+)?tls(-or-plain)?):\/\//.exec(text) ??
    [];
  const address = read(text.slice(scheme.length));
  return typeof address === "string"
    ? whyNoScheme(text) ?? address
    : { ...address, ...STEPS[scheme] };
}

/** What is wrong with the scheme of an address, if that is what is wrong. */
function whyNoScheme(text: string): string | undefined {
  const [, scheme = "", slashes, rest] =
    /^([a-z][a-z0-9+.-]*):(\/{0,2})(.+)/i.exec(text) ?? [];
  if (Object.hasOwn(STEPS, `${scheme}://`)) {
    return slashes === "//"
      ? undefined
      : `// is missing, as in ${scheme}://${rest}`;
  }
  if (slashes !== "//") return undefined;
  const cure = /^tcpmuxs$/i.test(scheme)
    ? ", which clients write: a server listens at tls://"
    : "";
  return `there is no scheme ${scheme}:// here${cure}`;
}

function readPlace(text: string): Endpoint | SystemdSockets | string {
  // No host is called systemd, as none is called unix.
  const [, colon, name] = /^systemd(:?)(.*)$/.exec(text) ?? [];
  if (name === undefined) return readEndpoint(text);
  if (colon === "" && name === "") {
    return { transport: "systemd", name: undefined };
  }
  if (colon === "") return readEndpoint(text); // a longer name
  return /^[\x21-\x39\x3b-\x7e]{1,255}$/.test(name)
    ? { transport: "systemd", name }
    : "systemd: is followed by the FileDescriptorName= of a socket unit";
}

/** The address alone, as a socket has it. */
export function withoutSteps(address: Endpoint & ListenSteps): Endpoint {
  const { proxyHeader: _, tls: _tls, ...place } = address;
  return place;
}

/** The text of the address alone: no two listeners can have one, whatever their scheme. */
export function formatPlace(address: Endpoint | SystemdSockets): string {
  if (address.transport !== "systemd") return formatEndpoint(address);
  return address.name === undefined ? "systemd" : `systemd:${address.name}`;
}

/**
 * Reads an address as people write it.
 *
 * @param text `HOST:PORT`, `[V6]:PORT`, `unix:/path` or `unix:@abstract`
 * @param defaultPort the port where the text has none; by default a text
 * without a port is wrong
 * @throws {TcpmuxError} code `usage`, saying what is wrong with the text
 */
export function parseEndpoint(text: string, defaultPort?: number): Endpoint {
  return endpointOf(text, readEndpoint(text, defaultPort));
}

/** The forms of a TCPMUX server's address, for messages. */
export const SERVER_FORMS =
  "HOST, HOST:PORT, [V6]:PORT, unix:/path, unix:@name, or a URL such as " +
  "tcpmux://HOST:PORT or tcpmuxs://HOST:PORT";

/** A TCPMUX server, as an address or a URL names it. */
export interface ServerTarget {
  readonly endpoint: Endpoint;
  /** Whether it is reached by TLS. */
  readonly tls: boolean;
  /** The service that the URL names; undefined for none. */
  readonly service: string | undefined;
}

/**
 * The address of a TCPMUX server: as {@linkcode parseEndpoint}, with port 1
 * (RFC 1078) where none is given, or 10001 with TLS, and an IPv6 address also
 * without brackets; or a URL.
 *
 * @param tls whether it is reached by TLS even if it is no `tcpmuxs://`
 * @throws {TcpmuxError} code `usage`, saying what is wrong with the text
 */
export function parseTarget(text: string, tls = false): ServerTarget {
  return endpointOf(text, readTarget(text, tls), SERVER_FORMS);
}

/** The same, or what is wrong with the text. */
export function readTarget(text: string, tls = false): ServerTarget | string {
  const [, scheme, authority = "", path = ""] =
    /^(tcpmuxs?):\/\/([^/]*)(?:\/(.*))?$/is.exec(text) ?? [];
  const other = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0];
  if (scheme === undefined && other !== undefined) {
    return `its scheme is ${other}, and a TCPMUX server's is tcpmux:// or, for ` +
      "TLS, tcpmuxs://";
  }
  const isSecure = tls || scheme?.toLowerCase() === "tcpmuxs";
  const service = serviceIn(path);
  if (service === undefined || /[?#]/.test(text) && scheme !== undefined) {
    return "a service stands in a URL as %-escapes have it, with nothing " +
      "behind it";
  }
  if (authority.includes("@")) return "a URL of TCPMUX has no user";
  const port = isSecure ? TCPMUXS_PORT : TCPMUX_PORT;
  const endpoint = readServer(scheme === undefined ? text : authority, port);
  if (typeof endpoint === "string") return endpoint;
  if (scheme !== undefined && endpoint.transport === "unix") {
    return "a URL has a host; a Unix socket is unix:/path";
  }
  return { endpoint, tls: isSecure, service: service || undefined };
}

/** Undefined for escapes that are none, or characters that no name has. */
function serviceIn(path: string): string | undefined {
  try {
    const service = decodeURIComponent(path);
    return /^[\x21-\x7e]*$/.test(service) ? service : undefined;
  } catch {
    return undefined;
  }
}

/** The text of an address that a program has given; undefined for other values. */
export function endpointText(given: unknown): string | undefined {
  const { transport, host, port, path } = (given ?? {}) as Partial<
    Record<"transport" | "host" | "port" | "path", unknown>
  >;
  if (transport === "unix" && typeof path === "string") {
    return formatEndpoint({ transport, path });
  }
  return transport === "tcp" && typeof host === "string" &&
      typeof port === "number"
    ? formatEndpoint({ transport, host, port })
    : undefined;
}

/** The address of a TCPMUX server, or what is wrong with the text. */
export function readServer(
  text: string,
  defaultPort = TCPMUX_PORT,
): Endpoint | string {
  const written = isIP(text) === 6 ? `[${text}]` : text;
  return readEndpoint(written, defaultPort);
}

/**
 * Reads an address to listen on, as {@linkcode readListen} does.
 *
 * @throws {TcpmuxError} code `usage`, saying what is wrong with the text
 */
export function parseListen(text: string): ListenAddress {
  return endpointOf(text, readListen(text), LISTEN_FORMS);
}

function endpointOf<T extends object>(
  text: string,
  read: T | string,
  forms = ENDPOINT_FORMS,
): T {
  if (typeof read !== "string") return read;
  const what = `${JSON.stringify(text)} is not an address (${forms})`;
  throw new TcpmuxError("usage", `${what}: ${read}`, { address: text });
}

/** Whether it is a name of a host, as DNS, TLS and HTTP have it. */
export function isHostName(text: string): boolean {
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/i.test(text) && text.length <= 253;
}

/** An address, or what is wrong with the text. */
export function readEndpoint(
  text: string,
  defaultPort?: number,
): Endpoint | string {
  // No host is called unix: with a port, it would look like a path.
  if (/^unix(:|$)/.test(text)) return unixEndpoint(text);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return "it is a URL; an address has no scheme and no path";
  }
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text);
  if (match === null) {
    return "an IPv6 address must be in brackets, as in [::1]:1";
  }
  const host = match[1] ?? match[2] ?? "";
  if (host === "") return "the host is missing";
  if (
    match[1] !== undefined &&
    !/^[0-9a-fA-F.]*:[0-9a-fA-F:.]*(%\S+)?$/.test(host)
  ) {
    return "only an IPv6 address can be in brackets";
  }
  if (!/^[\x21-\x7e]+$/.test(host) || host.length > 253) {
    return "the host has a character that is not allowed in a host name";
  }
  if (match[3] === undefined && defaultPort !== undefined) {
    return { transport: "tcp", host, port: defaultPort };
  }
  if (match[3] === undefined && /^\d+$/.test(host)) {
    return `the host is missing, as in 127.0.0.1:${host}`;
  }
  const port = /^\d{1,5}$/.test(match[3] ?? "") ? Number(match[3]) : -1;
  if (port < 0 || port > 65535) {
    return "a port from 0 to 65535 must follow the host";
  }
  return { transport: "tcp", host, port };
}

/** An address to connect to, or what is wrong with the text. */
export function readDestination(text: string): Endpoint | string {
  const endpoint = readEndpoint(text);
  return typeof endpoint !== "string" && endpoint.transport === "tcp" &&
      endpoint.port === 0
    ? "a port from 1 to 65535 must follow the host"
    : endpoint;
}

function unixEndpoint(text: string): UnixEndpoint | string {
  const name = text.slice("unix:".length);
  if (!/^[/@.]/.test(name) || name.length < 2 || name.includes("\0")) {
    return "unix: must be followed by a path or by @name";
  }
  // sockaddr_un holds 108 bytes, one of them the NUL at either end.
  if (new TextEncoder().encode(name).length > 107) {
    return "the path of a Unix socket may have at most 107 bytes";
  }
  const path = name.startsWith("@") ? `\0${name.slice(1)}` : name;
  return { transport: "unix", path };
}
