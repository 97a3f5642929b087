/**
 * What version 2 of the PROXY protocol says besides addresses, each as a type,
 * a length and a value (section 2.2 of its specification).
 */
import { Buffer } from "node:buffer";

/** Bytes that the unique ID of a connection may have at the most. */
const MAX_UNIQUE_ID = 128;

/** Bytes of a type and a length, which stand before each value. */
const HEAD = 3;

const TYPES = {
  alpn: 0x01,
  authority: 0x02,
  checksum: 0x03,
  uniqueId: 0x05,
  tls: 0x20,
  tlsVersion: 0x21,
  tlsSubject: 0x22,
  tlsCipher: 0x23,
} as const;

/**
 * What a proxy says of a connection. It is for the log: only the proxy has seen
 * whether it is true.
 */
export interface ProxyFacts {
  /** The protocol behind TLS that client and proxy have agreed on. */
  readonly alpn?: string | undefined;
  /** The host name that the client has asked the proxy for. */
  readonly authority?: string | undefined;
  /** By which proxies name the connection: one character a byte. */
  readonly uniqueId?: string | undefined;
  readonly tls?: ProxyTls;
}

/** The TLS between the client and its proxy. */
export interface ProxyTls {
  readonly version?: string;
  readonly cipher?: string;
  /** The common name of the client's certificate. */
  readonly subject?: string;
  /** Whether the proxy says that it has verified the certificate. */
  readonly verified: boolean;
}

interface Fact {
  readonly type: number;
  readonly value: Uint8Array;
  /** Where the value begins. */
  readonly at: number;
}

const utf8 = new TextDecoder();

/**
 * Reads what stands behind the addresses, and checks the checksum if there is
 * one.
 *
 * @param header the whole header
 * @returns what is wrong with it, where something is
 */
export function readFacts(
  header: Uint8Array,
  from: number,
): ProxyFacts | string {
  const found = factsIn(header, from);
  if (found === undefined) return "a value is longer than the header";
  const checksums = found.filter(({ type }) => type === TYPES.checksum);
  if (checksums.length > 1) return "it has two checksums";
  if (checksums.some((fact) => !holds(fact, header))) {
    return "its checksum (CRC32C) is wrong";
  }
  const facts: { -readonly [K in keyof ProxyFacts]: ProxyFacts[K] } = {};
  for (const { type, value } of found) {
    switch (type) {
      case TYPES.alpn:
        facts.alpn = latin1(value);
        break;
      case TYPES.authority:
        facts.authority = utf8.decode(value);
        break;
      case TYPES.uniqueId:
        if (value.length > MAX_UNIQUE_ID) {
          return `its unique ID is longer than ${MAX_UNIQUE_ID} bytes`;
        }
        facts.uniqueId = latin1(value);
        break;
      case TYPES.tls: {
        const tls = readTls(value);
        if (tls === undefined) return "what it says of TLS is cut short";
        facts.tls = tls;
      }
    }
  }
  return facts;
}

/** Undefined where a value ends behind its header. */
function factsIn(bytes: Uint8Array, from: number): Fact[] | undefined {
  const found: Fact[] = [];
  for (let next = from; next < bytes.length;) {
    const at = next + HEAD;
    if (at > bytes.length) return undefined;
    next = at + (bytes[at - 2]! << 8 | bytes[at - 1]!);
    if (next > bytes.length) return undefined;
    found.push({
      type: bytes[at - HEAD]!,
      value: bytes.subarray(at, next),
      at,
    });
  }
  return found;
}

/** The checksum is made while its own four bytes are 0. */
function holds({ value, at }: Fact, header: Uint8Array): boolean {
  if (value.length !== 4) return false;
  const copy = header.slice();
  copy.fill(0, at, at + 4);
  return crc32c(copy) === numberIn(value);
}

function readTls(value: Uint8Array): ProxyTls | undefined {
  const [IS_TLS, HAS_CERTIFICATE, AT] = [0x01, 0x06, 5];
  const found = value.length < AT ? undefined : factsIn(value, AT);
  if (found === undefined) return undefined;
  const tls: { -readonly [K in keyof ProxyTls]: ProxyTls[K] } = {
    verified: (value[0]! & IS_TLS) !== 0 &&
      (value[0]! & HAS_CERTIFICATE) !== 0 &&
      numberIn(value.subarray(1, AT)) === 0,
  };
  for (const { type, value } of found) {
    if (type === TYPES.tlsVersion) tls.version = latin1(value);
    else if (type === TYPES.tlsCipher) tls.cipher = latin1(value);
    else if (type === TYPES.tlsSubject) tls.subject = utf8.decode(value);
  }
  return tls;
}

function numberIn(bytes: Uint8Array): number {
  return bytes.reduce((number, byte) => number * 256 + byte, 0);
}

/** The bytes of what this server says itself, with an empty checksum last. */
export function factBytes(
  { authority = "", uniqueId = "" }: ProxyFacts,
): number[] {
  return [
    ...factOf(TYPES.authority, Buffer.from(authority, "utf8")),
    ...factOf(TYPES.uniqueId, Buffer.from(uniqueId, "latin1")),
    ...[TYPES.checksum, 0, 4, 0, 0, 0, 0],
  ];
}

/** Writes the checksum into a header that ends with an empty one. */
export function sealed(header: Uint8Array): Uint8Array {
  new DataView(header.buffer).setUint32(header.length - 4, crc32c(header));
  return header;
}

function factOf(type: number, value: Uint8Array): number[] {
  if (value.length === 0) return [];
  return [type, value.length >> 8, value.length & 0xff, ...value];
}

/** One character a byte. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString("latin1");
}

/** The polynomial of CRC32C (Castagnoli), its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/**
 * The checksum of RFC 9260, appendix A, from 0 to 2^32 - 1. Bit by bit: headers
 * are short, and a table of 256 numbers would be there for them alone.
 */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}
