/**
 * Certificates (RFC 5280), read from their DER. The text that a runtime makes
 * of a name is never looked at: one name can be written so that its text reads
 * like two.
 */
import { Buffer } from "node:buffer";
import type { AsnType } from "asn1js";
import {
  type AlternativeName,
  canonicalHost,
  type NamePart,
} from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { attributeType } from "../policy/certificates.ts";
import {
  ALTERNATIVE_NAMES,
  fieldsOf,
  identifierOf,
  parsed,
  parts,
} from "./der.ts";

export interface Certificate {
  readonly subject: readonly NamePart[];
  readonly issuer: readonly NamePart[];
  readonly names: readonly AlternativeName[];
  /** When it ends. */
  readonly until: Date;
  /** The key's algorithm and bits, as DER (SubjectPublicKeyInfo). */
  readonly publicKey: Uint8Array;
}

/** By the tag of a GeneralName. */
const KINDS: Readonly<Record<number, AlternativeName["kind"]>> = {
  1: "email",
  2: "dns",
  6: "uri",
  7: "ip",
};

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
  const { issuer, until, subject, publicKey, extensions } = fieldsOf(der);
  const names = extensions.get(ALTERNATIVE_NAMES);
  return {
    issuer: distinguishedName(issuer),
    subject: distinguishedName(subject),
    until: new Date(until),
    publicKey: publicKey!.valueBeforeDecodeView.slice(),
    names: names === undefined
      ? []
      : parts(parsed(names)).flatMap(alternativeName),
  };
}

/** All attributes, in their order. */
export function distinguishedName(name: AsnType | undefined): NamePart[] {
  return parts(name).flatMap(parts).map((attribute) => {
    const [type, value] = parts(attribute);
    return { type: attributeType(identifierOf(type)), value: textOf(value!) };
  });
}

/** The text of a string of any of ASN.1's types; else its bytes. */
function textOf(block: AsnType): string {
  const { value } = block.valueBlock as unknown as { value?: unknown };
  return typeof value === "string" ? value : `#${hex(bytesOf(block))}`;
}

function bytesOf(block: AsnType): Uint8Array {
  const { valueHexView } = block.valueBlock as unknown as {
    valueHexView?: Uint8Array;
  };
  return valueHexView ?? block.valueBeforeDecodeView;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** None for the kinds of names that nothing here compares. */
function alternativeName(block: AsnType): AlternativeName[] {
  const { tagClass, tagNumber } = block.idBlock;
  const kind = tagClass === 3 ? KINDS[tagNumber] : undefined;
  if (kind === undefined) return [];
  const bytes = bytesOf(block);
  const value = kind === "ip" ? ipOf(bytes) : Buffer.from(bytes).toString();
  return [{ kind, value }];
}

function ipOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return `#${hex(bytes)}`;
  return canonicalHost(hex(bytes).match(/.{4}/g)!.join(":"));
}
