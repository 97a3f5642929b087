/** The authorities that sign the certificates of clients (RFC 5280). */
import { Buffer } from "node:buffer";
import { Boolean } from "asn1js";
import { TcpmuxError } from "../errors.ts";
import { nameText } from "../policy/certificates.ts";
import { nodeCrypto } from "../transport/net/builtins.ts";
import { distinguishedName } from "./certificate.ts";
import {
  ALTERNATIVE_NAMES,
  certificatesIn,
  encodingOf,
  type Fields,
  fieldsOf,
  identifierOf,
  parsed,
  parts,
  type Signed,
  signedOf,
} from "./der.ts";

const KEY_USAGE = "2.5.29.15";
const BASIC_CONSTRAINTS = "2.5.29.19";
const NAME_CONSTRAINTS = "2.5.29.30";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
/** The extensions of a client's certificate that are looked at here. */
const KNOWN = [
  KEY_USAGE,
  ALTERNATIVE_NAMES,
  BASIC_CONSTRAINTS,
  EXTENDED_KEY_USAGE,
];

/** The digest of each algorithm of signatures; null where it has none. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.3.101.112": null, // Ed25519
};

/** A certificate, for those who judge it. */
export class Judged {
  readonly signed: Signed;
  readonly fields: Fields;
  /** The subject and the issuer, by their encoding. */
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;

  /** @throws for what is no certificate */
  constructor(der: Uint8Array) {
    this.signed = signedOf(der);
    const fields = this.fields = fieldsOf(der);
    this.subject = encodingOf(fields.subject);
    this.issuer = encodingOf(fields.issuer);
    this.serial = encodingOf(fields.serial);
  }

  /** The subject as text, for messages. */
  get name(): string {
    return nameText(distinguishedName(this.fields.subject));
  }

  get issuerName(): string {
    return nameText(distinguishedName(this.fields.issuer));
  }

  get isAuthority(): boolean {
    const value = this.fields.extensions.get(BASIC_CONSTRAINTS);
    const [is] = value === undefined ? [] : parts(parsed(value));
    return is instanceof Boolean && is.getValue();
  }

  /** The identifiers of what it is for; undefined for all. */
  get purposes(): readonly string[] | undefined {
    const usage = this.fields.extensions.get(EXTENDED_KEY_USAGE);
    return usage && parts(parsed(usage)).map(identifierOf);
  }

  get hasNameConstraints(): boolean {
    return this.fields.extensions.has(NAME_CONSTRAINTS);
  }

  /** What is wrong with its dates; undefined for nothing. */
  outOfDate(now: number): string | undefined {
    const { from, until } = this.fields;
    if (now < from) {
      return `not valid before ${new Date(from).toISOString()}`;
    }
    return now > until
      ? `expired: it ended at ${new Date(until).toISOString()}`
      : undefined;
  }

  /** Why it is none of a client's; undefined where it is one. */
  unfit(): string | undefined {
    const { critical } = this.fields;
    if (this.issuer === this.subject) return "signed by itself";
    if (this.isAuthority) return "an authority's own";
    if (this.purposes?.includes(CLIENT_AUTH) === false) {
      return "not for clients";
    }
    const unknown = critical.find((id) => !KNOWN.includes(id));
    return unknown && `with the critical extension ${unknown}, unknown here`;
  }

  /** Whether it has the signature of that authority. */
  isSignedBy(authority: Judged): boolean {
    return this.issuer === authority.subject &&
      isSignedBy(this.signed, authority);
  }
}

/** Whether an authority has signed something. */
export function isSignedBy(
  { content, algorithm, signature }: Signed,
  { fields }: Judged,
): boolean {
  const digest = DIGESTS[algorithm];
  if (digest === undefined) return false;
  const { createPublicKey, verify } = nodeCrypto();
  try {
    const key = Buffer.from(fields.publicKey!.valueBeforeDecodeView);
    return verify(
      digest,
      content,
      createPublicKey({ key, format: "der", type: "spki" }),
      signature,
    );
  } catch {
    return false; // the key is of another kind than the signature
  }
}

/** Those that `client_ca` names. */
export class Authorities {
  /** PEM. */
  readonly pem: string;
  readonly all: readonly Judged[];
  /** Each of them, with those that are above it here. */
  readonly #lines: ReadonlyMap<Judged, readonly Judged[]>;

  /**
   * @param mayResume whether the runtime gives sessions back unverified
   * @throws {TcpmuxError} that says what is wrong with the file
   */
  constructor(pem: string, mayResume: boolean) {
    this.pem = pem;
    try {
      this.all = certificatesIn(pem).map((der) => new Judged(der));
    } catch (cause) {
      throw wrong("has a certificate that cannot be read", cause);
    }
    if (this.all.length === 0) throw wrong("has no certificate in PEM");
    for (const one of this.all) {
      if (!one.isAuthority) {
        throw wrong(
          `has ${one.name}, which is the certificate of no authority`,
        );
      }
      if (mayResume && one.hasNameConstraints) {
        throw wrong(
          `has ${one.name} with name constraints, which Deno does not see at a ` +
            "session that is resumed (serve this table on Bun or Node)",
        );
      }
    }
    this.#lines = new Map(this.all.map((one) => [one, this.#line(one)]));
  }

  /** The one that has signed a certificate; undefined if none of them has. */
  issuerOf(certificate: Judged): Judged | undefined {
    return this.all.find((one) => certificate.isSignedBy(one));
  }

  /** An authority, and those that are above it here. */
  lineOf(authority: Judged): readonly Judged[] {
    return this.#lines.get(authority)!;
  }

  #line(authority: Judged): readonly Judged[] {
    const line = [authority];
    for (const one of line) {
      const above = this.issuerOf(one);
      if (above !== undefined && !line.includes(above)) line.push(above);
    }
    return line;
  }
}

function wrong(what: string, cause?: unknown): TcpmuxError {
  return new TcpmuxError("failed", what, { cause });
}
