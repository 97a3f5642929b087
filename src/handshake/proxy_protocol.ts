/**
 * The header of the PROXY protocol, versions 1 and 2, from both sides, as its
 * specification has it (haproxy.org/download/3.2/doc/proxy-protocol.txt).
 * Nothing here reads or writes.
 */
import { isIP } from "node:net";
import {
  canonicalHost,
  type Endpoint,
  groupsOf,
  type Peer,
  type TcpEndpoint,
} from "../endpoint.ts";
import { joined } from "../wire.ts";
import {
  factBytes,
  latin1,
  type ProxyFacts,
  readFacts,
  sealed,
} from "./proxy_facts.ts";

/** What a proxy says ahead of a connection that it passes on. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /**
   * Undefined where the ends are those of the proxy's own connection (LOCAL,
   * for health checks), or no TCP addresses (UNKNOWN, UNSPEC, Unix sockets).
   */
  readonly ends: AnnouncedEnds | undefined;
  readonly facts: ProxyFacts;
}

/** The ends of the connection between the client and its proxy. */
export interface AnnouncedEnds {
  readonly remote: TcpEndpoint;
  readonly local: TcpEndpoint;
}

/** How far a header has been read. */
export type ProxyHeaderState =
  | { readonly state: "more" }
  | {
    readonly state: "header";
    readonly header: ProxyHeader;
    readonly rest: Uint8Array;
  }
  | { readonly state: "malformed"; readonly why: string };

/** Bytes of the longest line of version 1, with its CRLF (section 2.1). */
export const MAX_PROXY_LINE = 107;

/**
 * Bytes behind the first 16 of version 2 that are read at the most: as much as
 * fits into few packets. Its length could say 65,535.
 */
export const MAX_PROXY_BODY = 4096;

const LINE_BEGINS = "PROXY ";
const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

/** Bytes of version 2 before the addresses. */
const FIXED = 16;

/** The second half of byte 12: the command. */
const [LOCAL, PROXY] = [0, 1];

/** Byte 13: a family of addresses, and a stream of bytes. */
const [TCP_IPV4, TCP_IPV6] = [0x11, 0x21];

/** The families that are not of the internet. */
const [UNSPEC, UNIX] = [0, 3];

/** Bytes of an address, by its family. */
const HOST_BYTES = [0, 4, 16, 108];

const MORE: ProxyHeaderState = { state: "more" };
const NONE = new Uint8Array(0);

/**
 * Reads the header in any segmentation. The reader holds the longest header
 * plus one read at the most. The verdict does not depend on how bytes arrive.
 */
export class ProxyHeaderReader {
  #held: Uint8Array = NONE;

  /** Takes the next bytes. Not called again after anything but `more`. */
  push(bytes: Uint8Array): ProxyHeaderState {
    if (bytes.length === 0) return MORE;
    const all = joined(this.#held, bytes);
    const state = stateOf(all);
    if (state.state === "more") this.#held = all;
    return state;
  }

  /** Whether the peer has sent anything at all. */
  get started(): boolean {
    return this.#held.length > 0;
  }
}

function stateOf(bytes: Uint8Array): ProxyHeaderState {
  const head = latin1(bytes.subarray(0, SIGNATURE.length));
  const begins = (mark: string) =>
    head.startsWith(mark) || mark.startsWith(head);
  if (begins(LINE_BEGINS)) return lineState(bytes);
  if (begins(SIGNATURE)) return binaryState(bytes);
  return malformed(
    "the connection begins with other bytes (have the proxy send the header)",
  );
}

function malformed(why: string): ProxyHeaderState {
  return { state: "malformed", why };
}

function lineState(bytes: Uint8Array): ProxyHeaderState {
  const text = latin1(bytes.subarray(0, MAX_PROXY_LINE));
  const end = text.indexOf("\n");
  if (end < 0 && text.length < MAX_PROXY_LINE) return MORE;
  if (end < 0) {
    return malformed(`its line has more than ${MAX_PROXY_LINE} bytes`);
  }
  if (text[end - 1] !== "\r") return malformed("its line ends without a CR");
  const line = text.slice(0, end - 1);
  const rest = bytes.subarray(end + 1);
  const facts = {};
  // What else such a line says counts for nothing.
  if (/^PROXY UNKNOWN( |$)/.test(line)) {
    const header = { version: 1, ends: undefined, facts } as const;
    return { state: "header", header, rest };
  }
  const ends = endsIn(line);
  return ends === undefined
    ? malformed("its line has no two TCP addresses")
    : { state: "header", header: { version: 1, ends, facts }, rest };
}

const NUMBER = "(?:0|[1-9]\\d*)"; // a leading zero could mean an octal number
const ADDRESSES: Readonly<Record<string, RegExp>> = {
  "4": new RegExp(`^${NUMBER}(\\.${NUMBER}){3}$`),
  "6": /^[\da-f:.]+$/i,
};
const LINE = new RegExp(
  `^PROXY TCP([46]) (\\S+) (\\S+) (${NUMBER}) (${NUMBER})$`,
);

function endsIn(line: string): AnnouncedEnds | undefined {
  const [, family, from = "", to = "", fromPort, toPort] = LINE.exec(line) ??
    [];
  if (family === undefined) return undefined;
  const isSound = (host: string) =>
    isIP(host) === Number(family) && ADDRESSES[family]!.test(host);
  const ports = [Number(fromPort), Number(toPort)] as const;
  if (!isSound(from) || !isSound(to) || Math.max(...ports) > 65535) {
    return undefined;
  }
  return { remote: endAt(from, ports[0]), local: endAt(to, ports[1]) };
}

/** An IPv4 address in the form of an IPv6 one is an IPv4 address. */
function endAt(host: string, port: number): TcpEndpoint {
  return { transport: "tcp", host: canonicalHost(host), port };
}

/** Each byte is judged as soon as it is there, in the order of the bytes. */
function binaryState(bytes: Uint8Array): ProxyHeaderState {
  if (bytes.length <= 12) return MORE;
  const [version, command] = [bytes[12]! >> 4, bytes[12]! & 0xf];
  if (version !== 2) return malformed(`its version is ${version}, not 1 or 2`);
  if (command > PROXY) {
    return malformed(`its command is ${command}, not 0 or 1`);
  }
  const kind = bytes[13] ?? 0;
  if (command === PROXY && (kind >> 4 > UNIX || (kind & 0xf) > 2)) {
    return malformed("its addresses are of no known kind");
  }
  if (bytes.length < FIXED) return MORE;
  const length = bytes[14]! << 8 | bytes[15]!;
  if (length > MAX_PROXY_BODY) {
    return malformed(`it has ${length} bytes, more than ${MAX_PROXY_BODY}`);
  }
  const end = FIXED + length;
  if (bytes.length < end) return MORE;
  const header = headerIn(bytes.subarray(0, end), command, kind);
  return typeof header === "string"
    ? malformed(header)
    : { state: "header", header, rest: bytes.subarray(end) };
}

/** The header, all of which is there, or what is wrong with it. */
function headerIn(
  bytes: Uint8Array,
  command: number,
  kind: number,
): ProxyHeader | string {
  const nobody = { version: 2, ends: undefined, facts: {} } as const;
  const family = kind >> 4;
  if (command === LOCAL || family === UNSPEC) return nobody;
  const size = HOST_BYTES[family]!;
  const ports = FIXED + 2 * size;
  const behind = family === UNIX ? ports : ports + 4;
  if (bytes.length < behind) return "it is too short for its addresses";
  const facts = readFacts(bytes, behind);
  if (typeof facts === "string") return facts;
  if (kind !== TCP_IPV4 && kind !== TCP_IPV6) return nobody;
  const end = (index: 0 | 1) => {
    const [at, port] = [FIXED + index * size, ports + index * 2];
    const host = hostIn(bytes.subarray(at, at + size));
    return endAt(host, bytes[port]! << 8 | bytes[port + 1]!);
  };
  return { version: 2, ends: { remote: end(0), local: end(1) }, facts };
}

function hostIn(address: Uint8Array): string {
  if (address.length === 4) return address.join(".");
  const groups = Array.from(
    { length: 8 },
    (_, i) => (address[2 * i]! << 8 | address[2 * i + 1]!).toString(16),
  );
  return groups.join(":");
}

/**
 * The header ahead of a connection that is passed on. A client without a TCP
 * address, as of a Unix socket, is UNKNOWN in version 1, and LOCAL in version 2.
 *
 * @param facts of which version 2 has `authority` and `uniqueId`
 */
export function proxyHeader(
  version: 1 | 2,
  { remote, local }: Peer,
  facts: ProxyFacts = {},
): Uint8Array {
  const ends = isAddress(remote) && isAddress(local)
    ? [remote, local] as const
    : undefined;
  return version === 1 ? lineOf(ends) : binaryOf(ends, facts);
}

/**
 * The header of a connection that is this program's own, such as a check
 * whether the server is there (sections 2.1 and 2.2 of the specification).
 */
export function ownHeader(version: 1 | 2, { local, remote }: Peer): Uint8Array {
  return version === 1
    ? proxyHeader(1, { remote: local, local: remote })
    : binaryOf(undefined, {});
}

type Ends = readonly [remote: TcpEndpoint, local: TcpEndpoint] | undefined;

function isAddress(end: Endpoint): end is TcpEndpoint {
  return end.transport === "tcp" && isIP(end.host) !== 0;
}

function lineOf(ends: Ends): Uint8Array {
  if (ends === undefined) return ascii("PROXY UNKNOWN\r\n");
  const hosts = hostsOf(ends);
  const words = [hosts.family, ...hosts.of, ...ends.map(({ port }) => port)];
  return ascii(`PROXY TCP${words.join(" ")}\r\n`);
}

function binaryOf(ends: Ends, facts: ProxyFacts): Uint8Array {
  if (ends === undefined) {
    return joined(ascii(SIGNATURE), Uint8Array.of(0x20, 0, 0, 0));
  }
  const { family, of } = hostsOf(ends);
  const body = [
    ...of.flatMap((host) =>
      family === 4
        ? host.split(".").map(Number)
        : groupsOf(host).flatMap(twoBytes)
    ),
    ...ends.flatMap(({ port }) => twoBytes(port)),
    ...factBytes(facts),
  ];
  const kind = family === 4 ? TCP_IPV4 : TCP_IPV6;
  const fixed = [0x20 | PROXY, kind, ...twoBytes(body.length)];
  return sealed(joined(ascii(SIGNATURE), Uint8Array.of(...fixed, ...body)));
}

/** Both addresses, in one family; without the interface of a link-local one. */
function hostsOf(ends: NonNullable<Ends>) {
  const hosts = ends.map(({ host }) => host.replace(/%.*/, ""));
  if (hosts.every((host) => isIP(host) === 4)) {
    return { family: 4, of: hosts } as const;
  }
  const of = hosts.map((host) => isIP(host) === 4 ? `::ffff:${host}` : host);
  return { family: 6, of } as const;
}

function twoBytes(number: number): number[] {
  return [number >> 8, number & 0xff];
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
