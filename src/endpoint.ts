import { isIP } from "node:net";
import { networkInterfaces } from "node:os";

/** An address to listen on or to connect to. */
export type Endpoint = TcpEndpoint | UnixEndpoint;

/**
 * A TCP address. `host` is a name or an address without brackets; `port` is
 * from 0 to 65535, and 0 asks for any free port to listen on.
 */
export interface TcpEndpoint {
  /** Distinguishes it from a Unix socket. */
  readonly transport: "tcp";
  /** A name or an address, an IPv6 address without brackets. */
  readonly host: string;
  /** From 0 to 65535. */
  readonly port: number;
}

/** A Unix socket. A path that begins with a NUL byte is an abstract name. */
export interface UnixEndpoint {
  /** Distinguishes it from a TCP address. */
  readonly transport: "unix";
  /** Of its file, or NUL and an abstract name. */
  readonly path: string;
}

/** The well-known port of TCPMUX (RFC 1078). */
export const TCPMUX_PORT = 1;

/** The port of TCPMUX inside TLS where none is named; no standard has one. */
export const TCPMUXS_PORT = 10001;

/** The text that `parseEndpoint` reads back. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.transport === "unix") {
    return `unix:${endpoint.path.replace(/^\0/, "@")}`;
  }
  const { host, port } = endpoint;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * The same address in the one form that RFC 5952 gives it, an IPv4 one as
 * itself; or the name.
 */
export function canonicalHost(host: string): string {
  if (isIP(host) !== 6) return host.toLowerCase();
  const [address = "", scope] = host.split("%");
  // At length: Bun's URL does not take every short form.
  const groups = groupsOf(address).map((group) => group.toString(16));
  const { hostname } = new URL(`http://[${groups.join(":")}]`);
  const canonical = hostname.slice(1, -1);
  return scope === undefined ? unmapped(canonical) : `${canonical}%${scope}`;
}

/** Whether no other machine reaches it: an address in one form, or a name. */
export function isLoopback(host: string): boolean {
  return host === "::1" || host.toLowerCase() === "localhost" ||
    isIP(host) === 4 && host.startsWith("127.");
}

/** The IPv4 form of an address that a dual-stack socket shows as IPv6. */
export function unmapped(address: string): string {
  const [, rest] = /^::ffff:(.*)$/i.exec(address) ?? [];
  if (rest === undefined) return address;
  if (isIP(rest) === 4) return rest;
  const groups = rest.split(":").map((group) => parseInt(group, 16));
  return groups.length === 2 ? dotted(groups) : address; // ::ffff:7f00:1
}

/** Two of the numbers of an IPv6 address as an IPv4 address. */
function dotted(groups: readonly number[]): string {
  return groups.flatMap((group) => [group >> 8, group & 0xff]).join(".");
}

/** The members of a socket that name its ends, on Bun and on Node. */
interface SocketEnds {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/** The end of a Unix socket that has no name. */
export const UNNAMED: Endpoint = { transport: "unix", path: "" };

/** One end of a socket, as its runtime shows it; empty after it was closed. */
export function tcpEnd(address = "", port = 0): Endpoint {
  // Looking first is cheap, and most addresses are not mapped.
  const host = address.startsWith("::ffff:") ? unmapped(address) : address;
  return { transport: "tcp", host, port };
}

/** The addresses of both ends of a connection. */
export interface Peer {
  /** Our end. */
  readonly local: Endpoint;
  /** The other end. */
  readonly remote: Endpoint;
  /**
   * The proxy that the connection came by, where that says who the other end is:
   * by the PROXY protocol. It is the other end itself if it speaks for nobody.
   */
  readonly via?: Endpoint;
  /** What TLS knows of the other end; undefined without TLS. */
  readonly tls?: TlsFacts | undefined;
}

/** What TLS knows of a connection and of who is at its other end. */
export interface TlsFacts {
  /** The version, such as `TLSv1.3`. */
  readonly protocol: string;
  /** The name of the cipher suite. */
  readonly cipher: string;
  /** The name of the server that the client meant; undefined without. */
  readonly sni: string | undefined;
  /** The protocol that both have agreed on (RFC 7301); undefined without. */
  readonly alpn: string | undefined;
  /** The server's certificate, where we are its client. */
  readonly server?: ServerCertificateFacts;
  /** Of a client that has shown one, which was found good; else undefined. */
  readonly certificate?: PeerCertificate | undefined;
}

/** What a client knows of the certificate of its server. */
export interface ServerCertificateFacts {
  /** Its subject, such as `CN=mux.example`, as text for people. */
  readonly subject: string;
  /** When it ends. */
  readonly expires: Date;
  /** The hash of its public key, as a pin: `sha256//BASE64`. */
  readonly pin: string;
}

/** What a certificate says of who shows it, as its DER has it (RFC 5280). */
export interface PeerCertificate {
  /** All attributes of the subject's name, in their order. */
  readonly subject: readonly NamePart[];
  /** Those of the authority that has signed it. */
  readonly issuer: readonly NamePart[];
  /** The alternative names of the subject. */
  readonly names: readonly AlternativeName[];
  /** SHA-256 of the whole certificate, in lower-case hexadecimal digits. */
  readonly fingerprint: string;
}

/** One attribute of a name, such as `CN`. */
export interface NamePart {
  /** The short name of RFC 4514 where it has one, else the OID. */
  readonly type: string;
  /** The text; of what is no text, `#` and its bytes in hexadecimal digits. */
  readonly value: string;
}

/** An alternative name of a subject. */
export interface AlternativeName {
  /** What kind of name it is; others than these are left out. */
  readonly kind: "dns" | "uri" | "email" | "ip";
  /** The name as the certificate has it. */
  readonly value: string;
}

/** Both ends of a socket that was connected to an address. */
export function connectedEnds(socket: SocketEnds, remote: Endpoint): Peer {
  if (remote.transport === "unix") return { local: UNNAMED, remote };
  const local = tcpEnd(socket.localAddress, socket.localPort);
  const ends = { local, remote };
  return remote.host.includes("%") ? withScopes(ends) : ends;
}

/**
 * Both ends of an accepted socket; undefined where the client has left already.
 *
 * @param listener the address that it was accepted at
 */
export function acceptedEnds(
  socket: SocketEnds,
  listener: Endpoint,
): Peer | undefined {
  if (listener.transport === "unix") {
    return { local: listener, remote: UNNAMED };
  }
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined) return undefined;
  // Asking for our end costs a call of the system, and one address has one.
  const isAny = listener.host === "::" || listener.host === "0.0.0.0";
  const local = isAny
    ? tcpEnd(socket.localAddress, socket.localPort)
    : listener;
  const ends = { local, remote: tcpEnd(remoteAddress, remotePort) };
  const lacksScope = remoteAddress.startsWith("fe") &&
    isUnscoped(remoteAddress);
  return lacksScope ? withScopes(ends) : ends;
}

/** Whether it is link-local (RFC 4291, section 2.5.6), without an interface. */
export function isUnscoped(address: string): boolean {
  return /^fe[89ab][^%]*$/i.test(address);
}

/**
 * The ends of a connection, link-local addresses with the interface that they
 * belong to, as in `fe80::1%eth0` (RFC 4007): Bun and Deno leave it out, and
 * nobody can connect without it. They stay as they are where more than one
 * interface has the address of our end.
 */
export function withScopes({ local, remote }: Peer): Peer {
  if (local.transport === "unix" || remote.transport === "unix") {
    return { local, remote };
  }
  const scope = [remote.host, local.host]
    .map((host) => host.split("%")[1])
    .find((name) => name !== undefined) ?? interfaceOf(local.host);
  const scoped = (end: TcpEndpoint) =>
    scope !== undefined && isUnscoped(end.host)
      ? { ...end, host: `${end.host}%${scope}` }
      : end;
  return { local: scoped(local), remote: scoped(remote) };
}

/** The one interface of this machine that has the address, if it can be seen. */
function interfaceOf(address: string): string | undefined {
  const owners = Object.entries(interfaces())
    .filter(([, ends]) => ends?.some((end) => end.address === address));
  return owners.length === 1 ? owners[0]![0] : undefined;
}

/** None where a sandbox denies AF_NETLINK, as `RestrictAddressFamilies=` does. */
function interfaces(): ReturnType<typeof networkInterfaces> {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}

const GROUPS = 8;

/** The well-known prefix of NAT64, `64:ff9b::/96` (RFC 6052, section 2.1). */
const NAT64 = [0x64, 0xff9b, 0, 0, 0, 0];

/**
 * The source of a connection, which limits count by: its IPv4 address, or its
 * IPv6 network, since a client can usually take any address of its network.
 * Behind NAT64 (RFC 6052) it is the IPv4 address that the IPv6 one holds; the
 * addresses of 6to4 and of Teredo, which hold one too, have gone out of use.
 * All clients of Unix sockets are one source.
 *
 * @param bits the length of an IPv6 network's prefix
 */
export function sourceOf(remote: Endpoint, bits: number): string {
  if (remote.transport === "unix") return "unix";
  return isIP(remote.host) === 6 ? network(remote.host, bits) : remote.host;
}

function network(address: string, bits: number): string {
  const groups = groupsOf(address.replace(/%.*/, ""));
  if (NAT64.every((group, index) => group === groups[index])) {
    return dotted(groups.slice(6));
  }
  const kept = groups.map((group, index) => {
    const taken = Math.min(Math.max(bits - index * 16, 0), 16);
    return (group & (0xffff << (16 - taken)) & 0xffff).toString(16);
  });
  return `${kept.join(":")}/${bits}`;
}

/** The eight numbers of an IPv6 address (RFC 4291, section 2.2). */
export function groupsOf(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const before = numbersOf(head);
  if (tail === undefined) return before;
  const after = numbersOf(tail);
  const missing = GROUPS - before.length - after.length;
  return [...before, ...new Array<number>(missing).fill(0), ...after];
}

/** The last 32 bits may be written as an IPv4 address. */
function numbersOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((part) => {
    if (!part.includes(".")) return [parseInt(part, 16)];
    const [a, b, c, d] = part.split(".").map(Number);
    return [a! << 8 | b!, c! << 8 | d!];
  });
}
