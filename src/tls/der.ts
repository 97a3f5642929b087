/** What all readers of certificates (RFC 5280) do with their DER. */
import { Buffer } from "node:buffer";
import {
  type AsnType,
  BitString,
  Constructed,
  fromBER,
  ObjectIdentifier,
  OctetString,
  UTCTime,
} from "asn1js";

/** The fields of a certificate that somebody here reads. */
export interface Fields {
  /** Whether it is of version 3, which alone has extensions. */
  readonly isVersion3: boolean;
  readonly serial: AsnType | undefined;
  readonly issuer: AsnType | undefined;
  /** When the certificate begins and ends, in milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
  readonly subject: AsnType | undefined;
  readonly publicKey: AsnType | undefined;
  /** The values by their identifiers, as DER. */
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
  readonly signature: Uint8Array;
}

/** The encoding of that number, which is one less. */
const VERSION_3 = "020102";

export const ALTERNATIVE_NAMES = "2.5.29.17";

/** The certificates in a PEM text (RFC 7468), in their order. */
export function certificatesIn(pem: string): Uint8Array[] {
  return blocksIn(pem, "CERTIFICATE");
}

/** The blocks with that label in a PEM text, in their order. */
export function blocksIn(pem: string, label: string): Uint8Array[] {
  const blocks = pem.matchAll(
    new RegExp(`-----BEGIN ${label}-----([^-]*)-----END ${label}-----`, "g"),
  );
  return [...blocks].map(([, text]) =>
    new Uint8Array(Buffer.from(text!, "base64"))
  );
}

export function signedOf(der: Uint8Array): Signed {
  const [content, algorithm, signature] = elementsOf(der);
  return {
    content: content!,
    algorithm: identifierOf(parts(parsed(algorithm!))[0]),
    signature: as(BitString, parsed(signature!)).valueBlock.valueHexView,
  };
}

/**
 * The encodings that stand in another one, in their order. Long lists are read
 * by this alone: asn1js takes a second for twenty thousand elements.
 */
export function elementsOf(der: Uint8Array): Uint8Array[] {
  const elements: Uint8Array[] = [];
  let { begin: at, end: last } = boundsAt(der, 0);
  if (last !== der.length) throw new TypeError("it is no DER");
  while (at < last) {
    const { end } = boundsAt(der, at);
    elements.push(der.subarray(at, end));
    at = end;
  }
  return elements;
}

/** Where the value of the element begins that stands there, and where it ends. */
function boundsAt(der: Uint8Array, at: number) {
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

/** The encoding of a block, by which two are compared. */
export function encodingOf(block: AsnType | undefined): string {
  return hexOf(block!.valueBeforeDecodeView);
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString("hex");
}

/** Milliseconds since 1970, of either type of time: GeneralizedTime is one. */
export function timeOf(block: AsnType | undefined): number {
  return as(UTCTime, block).toDate().getTime();
}

/** @throws {TypeError} for what is no certificate, as all functions here do */
export function fieldsOf(der: Uint8Array): Fields {
  const [signed] = parts(parsed(der));
  const all = parts(signed);
  // The version comes first, unless it is the oldest one.
  const first = isTagged(all[0]!, 0) ? 1 : 0;
  const [serial, , issuer, validity, subject, publicKey, ...rest] = all.slice(
    first,
  );
  const [from, until] = parts(validity);
  const list = rest.find((part) => isTagged(part, 3));
  const extensions = list === undefined ? [] : parts(parts(list)[0]);
  return {
    isVersion3: first === 1 && encodingOf(parts(all[0])[0]) === VERSION_3,
    serial,
    issuer,
    from: timeOf(from),
    until: timeOf(until),
    subject,
    publicKey,
    extensions: new Map(extensions.map(extensionOf)),
    critical: criticalOf(
      extensions.map(({ valueBeforeDecodeView: view }) => view),
    ),
  };
}

function extensionOf(extension: AsnType): [string, Uint8Array] {
  const [id, ...behind] = parts(extension);
  const value = as(OctetString, behind.at(-1)).getValue();
  return [identifierOf(id), new Uint8Array(value)];
}

/** DER leaves the flag out where it is false; so who has it is critical. */
export function criticalOf(extensions: readonly Uint8Array[]): string[] {
  return extensions.map(elementsOf).filter(({ length }) => length > 2)
    .map(([id]) => identifierOf(parsed(id!)));
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

function isTagged({ idBlock }: AsnType, tag: number): boolean {
  return idBlock.tagClass === 3 && idBlock.tagNumber === tag;
}
