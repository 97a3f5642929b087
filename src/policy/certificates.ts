/** Which clients may come in, by the names in their certificates. */
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import {
  type AlternativeName,
  canonicalHost,
  type NamePart,
  type PeerCertificate,
} from "../endpoint.ts";

/** One entry of `allow_certificate`. */
export interface CertificateRule {
  /** As the table has it. */
  readonly text: string;
  /** An attribute of the subject, or the kind of an alternative name. */
  readonly of:
    | { readonly attribute: string }
    | { readonly kind: AlternativeName["kind"] };
  readonly value: string;
}

/** The form of a rule, for messages. */
export const CERTIFICATE_FORM =
  'a name such as "CN=alice", "OU=field", "SAN:dns:*.dev.example" or ' +
  '"SAN:uri:spiffe://fleet/*"';

/** The short names of RFC 4514, section 3, and of others that are usual. */
const TYPES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.11": "OU",
  "2.5.4.10": "O",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.6": "C",
  "2.5.4.9": "STREET",
  "0.9.2342.19200300.100.1.25": "DC",
  "0.9.2342.19200300.100.1.1": "UID",
  "1.2.840.113549.1.9.1": "emailAddress",
  "2.5.4.5": "serialNumber",
};

/** The attributes of a subject that can be named, besides OIDs. */
const ATTRIBUTES = Object.values(TYPES);

/** What an attribute is called: its short name if it has one, else its OID. */
export function attributeType(oid: string): string {
  return TYPES[oid] ?? oid;
}

const NO_STAR =
  "* stands for a label or a segment only in SAN:dns: and SAN:uri:";

const BLANKS = "a name has no blank at its beginning and at its end";

/** Where a value goes on with another attribute, as in the text of a subject. */
const NEXT_ATTRIBUTE = new RegExp(
  `[,+] *(?=(?:${ATTRIBUTES.join("|")}|\\d+(?:\\.\\d+)+)=)`,
  "i",
);

/** @returns the rule, or what is wrong with the text */
export function readCertificateRule(text: string): CertificateRule | string {
  if (/^(\s|SAN:[^:]*:\s|[^:=]*=\s)|\s$/.test(text)) return BLANKS;
  const [, kind, name] = /^SAN:([^:]*):(.+)$/s.exec(text) ?? [];
  if (kind !== undefined) return alternativeRule(text, kind, name!);
  const [, attribute, value] = /^([A-Za-z]+|\d+(?:\.\d+)+)=(.+)$/s.exec(text) ??
    [];
  if (attribute === undefined) {
    return "it begins neither with an attribute and = nor with SAN:";
  }
  const known = ATTRIBUTES.find((one) =>
    one.toLowerCase() === attribute.toLowerCase()
  );
  if (known === undefined && !attribute.includes(".")) {
    return `no attribute is called ${attribute}; there are ` +
      `${ATTRIBUTES.join(", ")}, and OIDs`;
  }
  if (value!.includes("*")) return NO_STAR;
  const all = text.split(NEXT_ATTRIBUTE);
  if (all.length > 1) {
    const entries = all.map((one) => JSON.stringify(one.trim())).join(" and ");
    return `an entry has one attribute: write ${entries}, each an entry of its ` +
      "own, of which one is enough";
  }
  const type = known ?? attributeType(attribute);
  return { text, of: { attribute: type }, value: value! };
}

function alternativeRule(
  text: string,
  kind: string,
  value: string,
): CertificateRule | string {
  switch (kind) {
    case "dns":
      return whyNoDnsName(value) ??
        { text, of: { kind }, value: value.toLowerCase() };
    case "uri":
      return !value.includes("*") || hasWholeStars(value)
        ? { text, of: { kind }, value }
        : "of a URI, * stands for one whole segment of the path";
    case "email":
    case "ip": {
      if (value.includes("*")) return NO_STAR;
      const isIp = kind === "ip";
      if (isIp && (isIP(value) === 0 || value.includes("%"))) {
        return `${JSON.stringify(value)} is no IP address`;
      }
      return { text, of: { kind }, value: isIp ? canonicalHost(value) : value };
    }
    default:
      return `behind SAN: stands dns, uri, email or ip, not ${kind}`;
  }
}

/** What is wrong with a DNS name, or one whose first label is `*`. */
function whyNoDnsName(value: string): string | undefined {
  if (isIP(value) !== 0) return `an address is written SAN:ip:${value}`;
  const name = value.replace(/^\*\./, "");
  if (name.includes("*")) {
    return "of a DNS name, * stands for the whole first label";
  }
  const isName = name.length <= 253 &&
    name.split(".").every((label) =>
      /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label)
    );
  return isName ? undefined : `${JSON.stringify(value)} is no DNS name`;
}

/** Whether each `*` is a segment of the path behind `scheme://authority`. */
function hasWholeStars(uri: string): boolean {
  const [scheme, empty, authority, ...segments] = uri.split("/");
  return /^[a-z][a-z0-9+.-]*:$/i.test(scheme!) && empty === "" &&
    !authority?.includes("*") &&
    segments.every((one) => one === "*" || !one.includes("*"));
}

/**
 * The clients that may come in: those whose certificate has one of the names.
 * Without rules, all may.
 */
export class CertificateList {
  readonly rules: readonly CertificateRule[];
  /** Whether every client may come in, with a certificate or without. */
  readonly admitsAll: boolean;

  constructor(rules: readonly CertificateRule[]) {
    this.rules = rules;
    this.admitsAll = rules.length === 0;
  }

  admits(certificate: PeerCertificate | undefined): boolean {
    return this.admitsAll || this.ruleFor(certificate) !== undefined;
  }

  /** The first rule that the certificate fits. */
  ruleFor(
    certificate: PeerCertificate | undefined,
  ): CertificateRule | undefined {
    return certificate && this.rules.find((rule) => fits(rule, certificate));
  }
}

/** All clients, with a certificate or without. */
export const ANY_CERTIFICATE = new CertificateList([]);

/** A whole value is compared, so none can be written to read like two. */
function fits(
  { of, value }: CertificateRule,
  { subject, names }: PeerCertificate,
): boolean {
  if ("attribute" in of) {
    return subject.some((part) =>
      part.type === of.attribute && part.value === value
    );
  }
  return names.some((name) => name.kind === of.kind && isNamed(value, name));
}

function isNamed(pattern: string, { kind, value }: AlternativeName): boolean {
  switch (kind) {
    case "dns":
      return isHost(pattern, dnsName(value));
    case "uri":
      return isUri(pattern, value);
    case "email":
    case "ip": // canonical in both
      return value === pattern;
  }
}

/**
 * A DNS name of a certificate (RFC 5280, section 4.2.1.6), in lower case;
 * undefined for one that is not all ASCII, which is the name of no host: other
 * letters have some of ASCII's for their lower case.
 */
export function dnsName(value: string): string | undefined {
  return /^\p{ASCII}*$/u.test(value) ? value.toLowerCase() : undefined;
}

/** A name whose first label may be `*`, and a host of a certificate. */
export function isHost(pattern: string, host: string | undefined): boolean {
  if (host === undefined || !pattern.startsWith("*.")) return pattern === host;
  const dot = host.indexOf(".");
  return /^[a-z0-9_-]+$/.test(host.slice(0, dot)) &&
    host.slice(dot) === pattern.slice(1);
}

function isUri(pattern: string, uri: string): boolean {
  const [wanted, found] = [pattern.split("/"), uri.split("/")];
  return wanted.length === found.length &&
    wanted.every((segment, index) =>
      segment === "*" && index > 2
        ? isSegment(found[index]!)
        : segment === found[index]
    );
}

/** A segment of a path, and nothing that others may take for another one. */
function isSegment(text: string): boolean {
  return /^[\w!$&'()+,;=:@~.-]+$/.test(text) && !/^\.{1,2}$/.test(text);
}

/** A name as RFC 4514 writes it, the most particular attribute first. */
export function nameText(name: readonly NamePart[]): string {
  return name.toReversed().map(({ type, value }) => `${type}=${escaped(value)}`)
    .join(",");
}

/** Alternative names as `allow_certificate` has them, without `SAN:`. */
export function alternativeNamesText(
  names: readonly AlternativeName[],
): string {
  return names.map(({ kind, value }) => `${kind}:${escaped(value)}`).join(",");
}

/**
 * A value of RFC 4514, section 2.4: what ends or separates values there has a
 * backslash, and what is not printed is its bytes in UTF-8.
 */
function escaped(value: string): string {
  return value.replaceAll(/^[ #]| $|[\\"+,;<>]/g, "\\$&")
    .replaceAll(
      /(?! )[\p{C}\p{Z}]/gu,
      (text) =>
        [...Buffer.from(text)].map((byte) =>
          `\\${byte.toString(16).padStart(2, "0").toUpperCase()}`
        ).join(""),
    );
}
