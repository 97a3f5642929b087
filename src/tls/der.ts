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
  readonly content: AsnType;
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
  const [content, algorithm, signature] = parts(parsed(der));
  return {
    content: content!,
    algorithm: identifierOf(parts(algorithm)[0]),
    signature: as(BitString, signature).valueBlock.valueHexView,
  };
}

/** The encoding of a block, by which two are compared. */
export function encodingOf(block: AsnType | undefined): string {
  return Buffer.from(block!.valueBeforeDecodeView).toString("hex");
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
    critical: criticalOf(extensions),
  };
}

function extensionOf(extension: AsnType): [string, Uint8Array] {
  const [id, ...behind] = parts(extension);
  const value = as(OctetString, behind.at(-1)).getValue();
  return [identifierOf(id), new Uint8Array(value)];
}

/** DER leaves the flag out where it is false; so who has it is critical. */
export function criticalOf(extensions: readonly AsnType[]): string[] {
  return extensions.map(parts).filter(({ length }) => length > 2)
    .map(([id]) => identifierOf(id));
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

export function isTagged({ idBlock }: AsnType, tag: number): boolean {
  return idBlock.tagClass === 3 && idBlock.tagNumber === tag;
}
