/**
 * Certificates (RFC 5280), read from their DER. The text that a runtime makes
 * of a name is never looked at: one name can be written so that its text reads
 * like two.
 */
import { Buffer } from "node:buffer";
import {
  type AlternativeName,
  canonicalHost,
  type NamePart,
} from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { attributeType } from "../policy/certificates.ts";
import {
  ALTERNATIVE_NAMES,
  contentOf,
  elementsOf,
  type Fields,
  fieldsOf,
  HAS_ELEMENTS,
  hexOf,
  identifierIn,
  parsed,
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

/** By the first byte of a GeneralName. */
const KINDS: Readonly<Record<number, AlternativeName["kind"]>> = {
  0x81: "email",
  0x82: "dns",
  0x86: "uri",
  0x87: "ip",
};

/** The tags of strings and times, which asn1js has a text of. */
const TEXTS = [0x0c, ...Array.from({ length: 13 }, (_, index) => 0x12 + index)];

/** Attributes of a name; people's have some ten. */
const MOST_ATTRIBUTES = 64;

/** @throws {TcpmuxError} for bytes that are no certificate */
export function readCertificate(der: Uint8Array): Certificate {
  try {
    return certificateOf(fieldsOf(der));
  } catch (cause) {
    const message = "it is no certificate of X.509";
    throw new TcpmuxError("failed", message, { cause });
  }
}

export function certificateOf(
  { issuer, until, subject, publicKey, extensions }: Fields,
): Certificate {
  const names = extensions.get(ALTERNATIVE_NAMES);
  return {
    issuer: distinguishedName(issuer),
    subject: distinguishedName(subject),
    until: new Date(until),
    publicKey: publicKey.slice(),
    names: names === undefined
      ? []
      : elementsOf(names).flatMap(alternativeName),
  };
}

/** All attributes, in their order. */
export function distinguishedName(name: Uint8Array): NamePart[] {
  return attributesOf(name).flat();
}

/**
 * What two encodings of one name have in common (RFC 5280, section 7.1): the
 * type of a string says nothing, nor does the case of ASCII's letters, nor how
 * many of its blanks stand in a row.
 */
export function comparedName(name: Uint8Array): string {
  return JSON.stringify(
    attributesOf(name).map((set) =>
      set.map(({ type, value }) => `${type}=${folded(value)}`).sort()
    ),
  );
}

function folded(value: string): string {
  return value.replaceAll(/[\t-\r ]+/g, " ").replaceAll(/^ | $/g, "")
    .replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** The attributes of a name, those apart that stand together in a set. */
function attributesOf(name: Uint8Array): NamePart[][] {
  const sets = elementsOf(name).map(elementsOf);
  if (sets.flat().length > MOST_ATTRIBUTES) {
    throw new TypeError(`a name has more than ${MOST_ATTRIBUTES} attributes`);
  }
  return sets.map((attributes) =>
    attributes.map((attribute) => {
      const [type, value] = elementsOf(attribute);
      return {
        type: attributeType(identifierIn(type!)),
        value: textOf(value!),
      };
    })
  );
}

/** The text of a string of any of ASN.1's types; else its bytes. */
function textOf(der: Uint8Array): string {
  const [tag] = der;
  if (TEXTS.includes(tag!)) {
    const { value } = parsed(der).valueBlock as unknown as { value?: unknown };
    if (typeof value === "string") return value;
  }
  return `#${hexOf((tag! & HAS_ELEMENTS) === 0 ? contentOf(der) : der)}`;
}

/** None for the kinds of names that nothing here compares. */
function alternativeName(der: Uint8Array): AlternativeName[] {
  const kind = KINDS[der[0]!];
  if (kind === undefined) return [];
  const bytes = contentOf(der);
  const value = kind === "ip" ? ipOf(bytes) : Buffer.from(bytes).toString();
  return [{ kind, value }];
}

function ipOf(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) return `#${hexOf(bytes)}`;
  return canonicalHost(hexOf(bytes).match(/.{4}/g)!.join(":"));
}
