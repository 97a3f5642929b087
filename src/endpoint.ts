import { TcpmuxError } from "./errors.ts";

/** An address to listen on or to connect to. */
export type Endpoint = TcpEndpoint | UnixEndpoint;

/** A TCP address. `host` is a name or an address without brackets. */
export interface TcpEndpoint {
  readonly transport: "tcp";
  readonly host: string;
  readonly port: number;
}

/** A Unix socket. A path that begins with a NUL byte is an abstract name. */
export interface UnixEndpoint {
  readonly transport: "unix";
  readonly path: string;
}

/** The well-known port of TCPMUX (RFC 1078). */
export const TCPMUX_PORT = 1;

/**
 * Reads `HOST:PORT`, `[V6]:PORT`, `unix:/path` or `unix:@abstract`.
 *
 * @param defaultPort what a missing port means; without it a port is required
 * @throws {TcpmuxError} code `usage`, saying what is wrong with the text
 */
export function parseEndpoint(text: string, defaultPort?: number): Endpoint {
  if (text.startsWith("unix:")) return unixEndpoint(text);
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(text);
  if (match === null) {
    throw wrong(text, "an IPv6 address is written in brackets, as [::1]:1");
  }
  const host = match[1] ?? match[2] ?? "";
  if (host === "") throw wrong(text, "the host is missing");
  if (match[1] !== undefined && !/^[0-9a-fA-F:.]*(%\S+)?$/.test(host)) {
    throw wrong(text, "brackets hold an IPv6 address");
  }
  if (!/^[\x21-\x7e]+$/.test(host) || host.length > 253) {
    throw wrong(text, "the host holds a character that no host name has");
  }
  if (match[3] === undefined && defaultPort !== undefined) {
    return { transport: "tcp", host, port: defaultPort };
  }
  const port = /^\d{1,5}$/.test(match[3] ?? "") ? Number(match[3]) : -1;
  if (port < 0 || port > 65535) {
    throw wrong(text, "a port from 0 to 65535 must follow the host");
  }
  return { transport: "tcp", host, port };
}

function unixEndpoint(text: string): UnixEndpoint {
  const name = text.slice("unix:".length);
  if (!/^[/@.]/.test(name) || name.length < 2 || name.includes("\0")) {
    throw wrong(text, "unix: is followed by a path or by @name");
  }
  // sockaddr_un holds 108 bytes, one of them the NUL at either end.
  if (new TextEncoder().encode(name).length > 107) {
    throw wrong(text, "the path of a Unix socket has 107 bytes at the most");
  }
  const path = name.startsWith("@") ? `\0${name.slice(1)}` : name;
  return { transport: "unix", path };
}

function wrong(text: string, why: string): TcpmuxError {
  return new TcpmuxError(
    "usage",
    `${JSON.stringify(text)} is not an address: ${why} ` +
      `(HOST:PORT, [V6]:PORT, unix:/path or unix:@name)`,
    { address: text },
  );
}

/** The text that {@linkcode parseEndpoint} reads back. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.transport === "unix") {
    return `unix:${endpoint.path.replace(/^\0/, "@")}`;
  }
  const { host, port } = endpoint;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An IPv4 address that a dual-stack socket shows as IPv6, as IPv4 again. */
export function unmapped(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
}
