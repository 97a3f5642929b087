/** What a certificate of the CA says, read from its DER (RFC 5280). */
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

export type CertificateKind = "ca" | "server" | "client";

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
