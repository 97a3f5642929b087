/** What all readers of certificates (RFC 5280) do with their DER. */
import { Buffer } from "node:buffer";
import {
  type AsnType,
  Constructed,
  fromBER,
  ObjectIdentifier,
  OctetString,
  UTCTime,
} from "asn1js";

/** The fields of a certificate that somebody here reads. */
export interface Fields {
  readonly serial: AsnType | undefined;
  readonly issuer: AsnType | undefined;
  /** When the certificate ends. */
  readonly until: Date;
  readonly subject: AsnType | undefined;
  readonly publicKey: AsnType | undefined;
  /** The values by their identifiers, as DER. */
  readonly extensions: ReadonlyMap<string, Uint8Array>;
}

export const ALTERNATIVE_NAMES = "2.5.29.17";

/** The certificates in a PEM text (RFC 7468), in their order. */
export function certificatesIn(pem: string): Uint8Array[] {
  const blocks = pem.matchAll(
    /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g,
  );
  return [...blocks].map(([, text]) =>
    new Uint8Array(Buffer.from(text!, "base64"))
  );
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
  const list = rest.find((part) => isTagged(part, 3));
  const extensions = list === undefined ? [] : parts(parts(list)[0]);
  return {
    serial,
    issuer,
    until: as(UTCTime, parts(validity)[1]).toDate(), // GeneralizedTime is one
    subject,
    publicKey,
    extensions: new Map(extensions.map(extensionOf)),
  };
}

function extensionOf(extension: AsnType): [string, Uint8Array] {
  const [id, ...behind] = parts(extension);
  const value = as(OctetString, behind.at(-1)).getValue();
  return [identifierOf(id), new Uint8Array(value)];
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
