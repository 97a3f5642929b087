/**
 * The certificates of the CA: its list of them, index.txt of openssl-ca(1), and
 * what each says, read from its DER (RFC 5280).
 */
import { Integer, Utf8String } from "asn1js";
import { TcpmuxError } from "../../errors.ts";
import {
  ALTERNATIVE_NAMES,
  as,
  BASIC_CONSTRAINTS,
  certificatesIn,
  EXTENDED_KEY_USAGE,
  fieldsOf,
  identifierOf,
  parsed,
  parts,
  SERVER_AUTH,
} from "../../tls/der.ts";
import { altNameText } from "./names.ts";

/** One certificate of the list. */
export interface Issued {
  readonly name: string;
  /** In hexadecimal digits. */
  readonly serial: string;
  readonly until: Date;
  readonly revoked:
    | { readonly time: Date; readonly reason: string }
    | undefined;
}

/** Status, end, revocation, serial number, file and subject, by tabs. */
const LINE =
  /^([VRE])\t(\d{12,14}Z)\t(?:(\d{12,14}Z)(?:,(\w+))?)?\t([0-9A-F]+)\t[^\t]*\t\/CN=([\w.@-]+)$/;

/**
 * Reads the list, the oldest certificate first.
 *
 * @param file its name, for the message
 * @throws {TcpmuxError} where a line is none that this program has caused
 */
export function readIssued(text: string, file: string): Issued[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw wrong(file, lines.length + 1);
  return lines.map((line, index) => {
    const [, , until, revoked, reason = "unspecified", serial, name] =
      LINE.exec(line) ?? [];
    if (name === undefined) throw wrong(file, index + 1);
    return {
      name,
      serial: serial!,
      until: timeOf(until!),
      revoked: revoked && { time: timeOf(revoked), reason } || undefined,
    };
  });
}

/** The newest certificate of a name. */
export function newestOf(
  issued: readonly Issued[],
  name: string,
): Issued | undefined {
  return issued.findLast((one) => isSame(one.name, name));
}

/**
 * Whether two names are one. They are if they differ in capital letters alone,
 * as their files are the same on some systems.
 */
export function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** As ASN.1 writes a time, with two digits of the year until 2049. */
function timeOf(text: string): Date {
  const century = Number(text.slice(0, 2)) < 50 ? "20" : "19";
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(..)(..)(..)(..)(..)Z$/.exec(
      text.length === "YYYYMMDDhhmmssZ".length ? text : century + text,
    )!;
  return new Date(
    `${year}-${month}-${day}T${hour}:${minute}:${second}Z`,
  );
}

function wrong(file: string, line: number): TcpmuxError {
  return new TcpmuxError(
    "failed",
    `${file}:${line}: it is no line of this CA (put back the file that tcpmux ` +
      "cert has made)",
  );
}

export type CertificateKind = "ca" | "server" | "client";

/** What a certificate of the CA says. */
export interface OwnCertificate {
  /** The common name. */
  readonly name: string;
  readonly kind: CertificateKind;
  /** As `--san` takes them. */
  readonly altNames: readonly string[];
  /** The value of the extension that holds them. */
  readonly altNamesDer: Uint8Array | undefined;
  /** In hexadecimal digits, as openssl(1) writes it. */
  readonly serial: string;
  readonly until: Date;
}

const COMMON_NAME = "2.5.4.3";

/**
 * Reads the first certificate of a PEM text.
 *
 * @param file its name, for the message
 * @throws {TcpmuxError} where it is none, or not one that the CA has made
 */
export function readOwnCertificate(pem: string, file: string): OwnCertificate {
  try {
    return certificateOf(certificatesIn(pem)[0]!);
  } catch (error) {
    throw new TcpmuxError(
      "failed",
      `${file}: it is no certificate of this CA (put back the file that ` +
        "tcpmux cert has made)",
      { cause: error },
    );
  }
}

function certificateOf(der: Uint8Array): OwnCertificate {
  const { serial, until, subject, extensions } = fieldsOf(der);
  const altNamesDer = extensions.get(ALTERNATIVE_NAMES);
  return {
    name: commonName(subject),
    kind: kindOf(extensions),
    altNames: altNamesDer === undefined
      ? []
      : parts(parsed(altNamesDer)).map(altNameText),
    altNamesDer,
    // The first byte may say only that the number is positive.
    serial: hexadecimal(as(Integer, parsed(serial)).valueBlock.valueHexView)
      .replace(/^00(?=.)/, ""),
    until: new Date(until),
  };
}

function kindOf(extensions: ReadonlyMap<string, Uint8Array>): CertificateKind {
  const constraints = extensions.get(BASIC_CONSTRAINTS);
  if (constraints !== undefined && parts(parsed(constraints)).length > 0) {
    return "ca"; // the default, that it is none, is left out
  }
  const usage = extensions.get(EXTENDED_KEY_USAGE)!;
  const purposes = parts(parsed(usage)).map(identifierOf);
  return purposes.includes(SERVER_AUTH) ? "server" : "client";
}

function commonName(subject: Uint8Array): string {
  const attributes = parts(parsed(subject)).flatMap(parts).map(parts);
  const [, value] = attributes.find(([type]) =>
    identifierOf(type) === COMMON_NAME
  )!;
  return as(Utf8String, value).getValue();
}

export function hexadecimal(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
    .toUpperCase();
}
