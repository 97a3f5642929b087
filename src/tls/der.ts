/** What all readers of certificates (RFC 5280) do with their DER. */
import { Buffer } from "node:buffer";
import {
  type AsnType,
  Constructed,
  fromBER,
  ObjectIdentifier,
  UTCTime,
} from "asn1js";

/** The fields of a certificate that somebody here reads, each as DER. */
export interface Fields {
  /** Whether it is of version 3, which alone has extensions. */
  readonly isVersion3: boolean;
  readonly serial: Uint8Array;
  readonly issuer: Uint8Array;
  /** When the certificate begins and ends, in milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
  readonly subject: Uint8Array;
  readonly publicKey: Uint8Array;
  /** The values by their identifiers. */
  readonly extensions: ReadonlyMap<string, Uint8Array>;
  /** The identifiers of those that whoever reads it must understand. */
  readonly critical: readonly string[];
}

/** What somebody has signed: a certificate, or a list of revoked ones. */
export interface Signed {
  /** Its encoding. */
  readonly content: Uint8Array;
  /** The identifier of the algorithm of the signature. */
  readonly algorithm: string;
  /** Those of the algorithm, as DER. */
  readonly parameters: Uint8Array | undefined;
  readonly signature: Uint8Array;
}

/** The encoding of that number, which is one less. */
const VERSION_3 = "020102";

/** By the first bytes of elements, which say what each is. */
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
/** The bit of those bytes that says that other elements stand in this one. */
export const HAS_ELEMENTS = 0x20;
/** The bits that say in them that the tag goes on behind, as none here does. */
const LONG_TAG = 0x1f;

/** Bytes of an identifier or a time; those that somebody uses are shorter. */
const MOST_OF_WORD = 64;
const MOST_EXTENSIONS = 64;

/** Identifiers of extensions, and of the purpose of a server. */
export const ALTERNATIVE_NAMES = "2.5.29.17";
export const BASIC_CONSTRAINTS = "2.5.29.19";
export const EXTENDED_KEY_USAGE = "2.5.29.37";
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

/** The certificates in a PEM text (RFC 7468), in their order. */
export function certificatesIn(pem: string): Uint8Array[] {
  return blocksIn(pem, "CERTIFICATE");
}

/** The same, each still in PEM. */
export function certificateTextsIn(pem: string): string[] {
  return [...matchesIn(pem, "CERTIFICATE")].map(([text]) => text);
}

/** The blocks with that label in a PEM text, in their order. */
export function blocksIn(pem: string, label: string): Uint8Array[] {
  return [...matchesIn(pem, label)].map(([, text]) =>
    new Uint8Array(Buffer.from(text!, "base64"))
  );
}

function matchesIn(pem: string, label: string) {
  return pem.matchAll(
    new RegExp(`-----BEGIN ${label}-----([^-]*)-----END ${label}-----`, "g"),
  );
}

export function signedOf(der: Uint8Array): Signed {
  const [content, algorithm, signature] = elementsOf(der);
  const [id, parameters] = elementsOf(algorithm!);
  return {
    content: content!,
    algorithm: identifierIn(id!),
    parameters,
    // The first byte says that no bit of the last one is left over.
    signature: contentOf(signature!, BIT_STRING).subarray(1),
  };
}

/**
 * The encodings that stand in another one, in their order. What strangers send
 * and what is long is read by this: asn1js takes a second for twenty thousand
 * elements.
 */
export function elementsOf(der: Uint8Array): Uint8Array[] {
  const elements: Uint8Array[] = [];
  let { begin: at, end: last } = boundsAt(der, 0);
  if (last !== der.length || (der[0]! & HAS_ELEMENTS) === 0) {
    throw new TypeError("it is no DER");
  }
  while (at < last) {
    const { end } = boundsAt(der, at);
    elements.push(der.subarray(at, end));
    at = end;
  }
  return elements;
}

/** The bytes of an element, without its tag and length. */
export function contentOf(der: Uint8Array, tag = der[0]): Uint8Array {
  const { begin, end } = boundsAt(der, 0);
  if (end !== der.length || der[0] !== tag) throw new TypeError("it is no DER");
  return der.subarray(begin, end);
}

/** Where the value of the element begins that stands there, and where it ends. */
function boundsAt(der: Uint8Array, at: number) {
  if ((der[at]! & LONG_TAG) === LONG_TAG) throw new TypeError("it is no DER");
  let length = der[at + 1] ?? 0x80; // which nothing in DER has
  let begin = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4) throw new TypeError("it is no DER");
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + der[begin + i]!;
    begin += count;
  }
  const end = begin + length;
  if (!(end <= der.length)) throw new TypeError("it is cut short");
  return { begin, end };
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString("hex");
}

/** Milliseconds since 1970, of either type of time: GeneralizedTime is one. */
export function timeOf(der: Uint8Array): number {
  const time = as(UTCTime, word(der)).toDate().getTime();
  if (Number.isNaN(time)) throw new TypeError("it has a time that is none");
  return time;
}

/** @throws {TypeError} for what is no certificate, as all functions here do */
export function fieldsOf(der: Uint8Array): Fields {
  const all = elementsOf(elementsOf(der)[0]!);
  // The version comes first, unless it is the oldest one.
  const [version] = all[0]?.[0] === VERSION ? elementsOf(all.shift()!) : [];
  const [serial, , issuer, validity, subject, publicKey, ...rest] = all;
  if (publicKey === undefined) throw new TypeError("it has no key");
  const [from, until] = elementsOf(validity!);
  const list = rest.find(([tag]) => tag === EXTENSIONS);
  const extensions = list === undefined ? [] : elementsOf(elementsOf(list)[0]!);
  if (extensions.length > MOST_EXTENSIONS) {
    throw new TypeError(`it has more than ${MOST_EXTENSIONS} extensions`);
  }
  return {
    isVersion3: version !== undefined && hexOf(version) === VERSION_3,
    serial: serial!,
    issuer: issuer!,
    from: timeOf(from!),
    until: timeOf(until!),
    subject: subject!,
    publicKey,
    extensions: new Map(extensions.map(extensionOf)),
    critical: criticalOf(extensions),
  };
}

function extensionOf(extension: Uint8Array): [string, Uint8Array] {
  const [id, ...behind] = elementsOf(extension);
  return [identifierIn(id!), contentOf(behind.at(-1)!, OCTET_STRING)];
}

/** DER leaves the flag out where it is false; so who has it is critical. */
export function criticalOf(extensions: readonly Uint8Array[]): string[] {
  return extensions.map(elementsOf).filter(({ length }) => length > 2)
    .map(([id]) => identifierIn(id!));
}

/** The identifier that this is the encoding of. */
export function identifierIn(der: Uint8Array): string {
  return identifierOf(word(der));
}

function word(der: Uint8Array): AsnType {
  if (der.length > MOST_OF_WORD) throw new TypeError("it has too long a word");
  return parsed(der);
}

export function parsed(der: Uint8Array): AsnType {
  const { offset, result } = fromBER(der);
  if (offset !== der.length) throw new TypeError("it is no DER");
  return result;
}

export function parts(block: AsnType | undefined): AsnType[] {
  return as(Constructed, block).valueBlock.value as AsnType[];
}

export function identifierOf(block: AsnType | undefined): string {
  return as(ObjectIdentifier, block).getValue();
}

export function as<T>(type: new () => T, block: AsnType | undefined): T {
  if (block instanceof type) return block;
  throw new TypeError(`there is no ${type.name} where one must be`);
}
