/**
 * Certificates (RFC 5280), read from their DER. The text that a runtime makes
 * of a name is never looked at: one name can be written so that its text reads
 * like two.
 */
import { Buffer } from "node:buffer";
import { type BaseBlock, fromBER } from "asn1js";
import { TcpmuxError } from "../errors.ts";

/** One attribute of a name, such as `CN`. */
export interface NamePart {
  /** The short name of RFC 4514 where it has one, else the OID. */
  readonly type: string;
  readonly value: string;
}

/** An alternative name of the subject. */
export interface AlternativeName {
  readonly kind: "dns" | "uri" | "email" | "ip";
  readonly value: string;
}

export interface Certificate {
  readonly subject: readonly NamePart[];
  readonly issuer: readonly NamePart[];
  readonly names: readonly AlternativeName[];
  /** The key's algorithm and bits, as DER (SubjectPublicKeyInfo). */
  readonly publicKey: Uint8Array;
}

/** The short names of RFC 4514, section 3, and of others that are usual. */
const TYPES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "STREET",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "0.9.2342.19200300.100.1.25": "DC",
  "0.9.2342.19200300.100.1.1": "UID",
  "1.2.840.113549.1.9.1": "emailAddress",
};

const ALTERNATIVE_NAMES = "2.5.29.17";

/** By the tag of a GeneralName. */
const KINDS: Readonly<Record<number, AlternativeName["kind"]>> = {
  1: "email",
  2: "dns",
  6: "uri",
  7: "ip",
};

/** The certificates in a PEM text (RFC 7468), in their order. */
export function certificatesIn(pem: string): Uint8Array[] {
  const blocks = pem.matchAll(
    /-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g,
  );
  return [...blocks].map(([, text]) =>
    new Uint8Array(Buffer.from(text!, "base64"))
  );
}

/** @throws {TcpmuxError} for bytes that are no certificate */
export function readCertificate(der: Uint8Array): Certificate {
  try {
    return read(der);
  } catch (cause) {
    const message = "it is no certificate of X.509";
    throw new TcpmuxError("failed", message, { cause });
  }
}

function read(der: Uint8Array): Certificate {
  const [whole] = partsOf(parsed(der));
  const parts = partsOf(whole!);
  // The version comes first, unless it is the oldest one.
  const first = isTagged(parts[0]!, 0) ? 1 : 0;
  const [, , issuer, , subject, publicKey, ...rest] = parts.slice(first);
  const extensions = rest.find((part) => isTagged(part, 3));
  return {
    issuer: nameOf(issuer!),
    subject: nameOf(subject!),
    publicKey: publicKey!.valueBeforeDecodeView.slice(),
    names: extensions === undefined ? [] : alternativeNames(extensions),
  };
}

function parsed(der: Uint8Array): BaseBlock {
  const { offset, result } = fromBER(der.slice().buffer);
  if (offset !== der.length) throw new Error(result.error || "cut short");
  return result;
}

function partsOf(block: BaseBlock): readonly BaseBlock[] {
  const { value } = block.valueBlock as unknown as { value?: unknown };
  if (!Array.isArray(value)) throw new Error("no sequence");
  return value;
}

function isTagged({ idBlock }: BaseBlock, tag: number): boolean {
  return idBlock.tagClass === 3 && idBlock.tagNumber === tag;
}

/** All attributes, in their order. */
function nameOf(name: BaseBlock): NamePart[] {
  return partsOf(name).flatMap(partsOf).map((attribute) => {
    const [type, value] = partsOf(attribute);
    const oid = oidOf(type!);
    return { type: TYPES[oid] ?? oid, value: textOf(value!) };
  });
}

function oidOf(block: BaseBlock): string {
  return block.valueBlock.toString();
}

/** The text of a string of any of ASN.1's types; else its bytes. */
function textOf(block: BaseBlock): string {
  const { value } = block.valueBlock as unknown as { value?: unknown };
  return typeof value === "string" ? value : `#${hex(bytesOf(block))}`;
}

function bytesOf(block: BaseBlock): Uint8Array {
  const { valueHexView } = block.valueBlock as unknown as {
    valueHexView?: Uint8Array;
  };
  return valueHexView ?? block.valueBeforeDecodeView;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function alternativeNames(extensions: BaseBlock): AlternativeName[] {
  const [list] = partsOf(extensions);
  for (const extension of partsOf(list!)) {
    const parts = partsOf(extension);
    if (oidOf(parts[0]!) !== ALTERNATIVE_NAMES) continue;
    const names = parsed(bytesOf(parts.at(-1)!));
    return partsOf(names).flatMap(alternativeName);
  }
  return [];
}

/** None for the kinds of names that nothing here compares. */
function alternativeName(block: BaseBlock): AlternativeName[] {
  const { tagClass, tagNumber } = block.idBlock;
  const kind = tagClass === 3 ? KINDS[tagNumber] : undefined;
  if (kind === undefined) return [];
  const bytes = bytesOf(block);
  const value = kind === "ip" ? ipOf(bytes) : Buffer.from(bytes).toString();
  return [{ kind, value }];
}

function ipOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = hex(bytes).match(/.{4}/g) ?? [];
  return groups.map((group) => parseInt(group, 16).toString(16)).join(":");
}
