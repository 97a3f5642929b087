/** The authorities that sign the certificates of clients (RFC 5280). */
import { TcpmuxError } from "../errors.ts";
import { nameText } from "../policy/certificates.ts";
import { comparedName, distinguishedName } from "./certificate.ts";
import {
  ALTERNATIVE_NAMES,
  BASIC_CONSTRAINTS,
  certificatesIn,
  elementsOf,
  EXTENDED_KEY_USAGE,
  type Fields,
  fieldsOf,
  hexOf,
  type Signed,
  signedOf,
} from "./der.ts";
import { isSignedBy, KNOWN_WAYS } from "./signatures.ts";

const KEY_USAGE = "2.5.29.15";
const NAME_CONSTRAINTS = "2.5.29.30";
/** The encodings of `SERVER_AUTH`, of 1.3.6.1.5.5.7.3.2 and 2.5.29.37.0. */
const FOR_SERVERS = "06082b06010505070301";
const FOR_CLIENTS = "06082b06010505070302";
const FOR_ALL = "0604551d2500";
/** The encoding of TRUE. */
const TRUE = "0101ff";
/** The most alternative names that a client's certificate may have. */
const MOST_NAMES = 256;
/** The extensions of a client's certificate that are looked at here. */
const KNOWN = [
  KEY_USAGE,
  ALTERNATIVE_NAMES,
  BASIC_CONSTRAINTS,
  EXTENDED_KEY_USAGE,
];

/** A certificate, for those who judge it. */
export class Judged {
  readonly signed: Signed;
  readonly fields: Fields;
  /** The subject and the issuer, as they are compared. */
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly isAuthority: boolean;

  /** @throws for what is no certificate */
  constructor(der: Uint8Array) {
    this.signed = signedOf(der);
    const fields = this.fields = fieldsOf(der);
    this.subject = comparedName(fields.subject);
    this.issuer = comparedName(fields.issuer);
    this.serial = hexOf(fields.serial);
    const constraints = fields.extensions.get(BASIC_CONSTRAINTS);
    const [is] = constraints === undefined ? [] : elementsOf(constraints);
    this.isAuthority = is !== undefined && hexOf(is) === TRUE;
  }

  /** The subject as text, for messages. */
  get name(): string {
    return nameText(distinguishedName(this.fields.subject));
  }

  get issuerName(): string {
    return nameText(distinguishedName(this.fields.issuer));
  }

  get hasNameConstraints(): boolean {
    return this.fields.extensions.has(NAME_CONSTRAINTS);
  }

  /** Whether its purposes, if it has any, do not keep servers from it. */
  get isForServers(): boolean {
    return this.#purposes?.some((one) =>
      one === FOR_SERVERS || one === FOR_ALL
    ) ?? true;
  }

  get isForClients(): boolean {
    return this.#purposes?.includes(FOR_CLIENTS) ?? true;
  }

  /** Their encodings; undefined where it does not say what it is for. */
  get #purposes(): readonly string[] | undefined {
    const usage = this.fields.extensions.get(EXTENDED_KEY_USAGE);
    return usage && elementsOf(usage).map(hexOf);
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
    if (this.issuer === this.subject) return "signed by itself";
    if (this.isAuthority) return "an authority's own";
    if (!this.isForClients) return "not for clients";
    const { extensions, critical } = this.fields;
    const names = extensions.get(ALTERNATIVE_NAMES);
    if (names !== undefined && elementsOf(names).length > MOST_NAMES) {
      return `with more than ${MOST_NAMES} alternative names`;
    }
    const unknown = critical.find((id) => !KNOWN.includes(id));
    return unknown && `with the critical extension ${unknown}, unknown here`;
  }

  /** Whether it has the signature of that authority. */
  isSignedBy(authority: Judged): boolean {
    return this.issuer === authority.subject &&
      isSignedBy(this.signed, authority.fields.publicKey);
  }

  hasKeyOf({ fields }: Judged): boolean {
    return hexOf(this.fields.publicKey) === hexOf(fields.publicKey);
  }
}

/** Who has signed a certificate. */
export interface Signature {
  readonly of: Judged;
  readonly by: Judged;
}

/** Those that `client_ca` names. */
export class Authorities {
  /** PEM. */
  readonly pem: string;
  readonly all: readonly Judged[];
  /** Those here that have signed each; none of who has signed itself. */
  readonly #above: ReadonlyMap<Judged, readonly Judged[]>;

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
    this.#above = new Map(this.all.map((one) => [one, this.#aboveOf(one)]));
  }

  /** Those that have signed a certificate: one, and what it was renewed by. */
  issuersOf(certificate: Judged): readonly Judged[] {
    return this.all.filter((one) => certificate.isSignedBy(one));
  }

  /** One of those, if it can be one that is in force; undefined without any. */
  issuerOf(certificate: Judged, now = Date.now()): Judged | undefined {
    const issuers = this.issuersOf(certificate);
    return issuers.find((one) => this.whyNotInForce(one, now) === undefined) ??
      issuers[0];
  }

  /**
   * What is wrong with an authority's dates, or with those of all that have
   * signed it; undefined for nothing.
   *
   * @param below those that are asked about already
   */
  whyNotInForce(
    authority: Judged,
    now: number,
    below: readonly Judged[] = [],
  ): string | undefined {
    const why = authority.outOfDate(now);
    if (why !== undefined) return `of ${authority.name}, which is ${why}`;
    const line = [...below, authority];
    const whys = this.#above.get(authority)!.filter((one) =>
      !line.includes(one)
    ).map((one) => this.whyNotInForce(one, now, line));
    return whys.includes(undefined) ? undefined : whys[0];
  }

  /**
   * Who has signed a certificate, who has signed those, and so on, as far as
   * they are in force. Whoever stands at the top has signed itself, or nobody
   * here has its issuer's name.
   */
  signaturesOn(certificate: Judged, now: number): readonly Signature[] {
    const signatures: Signature[] = [];
    const line = [certificate];
    for (const of of line) {
      for (const by of this.#above.get(of) ?? this.issuersOf(of)) {
        if (this.whyNotInForce(by, now) !== undefined) continue;
        signatures.push({ of, by });
        if (!line.includes(by)) line.push(by);
      }
    }
    return signatures;
  }

  /** @throws {TcpmuxError} where it cannot be found out whose list it is on */
  #aboveOf(authority: Judged): readonly Judged[] {
    const signers = this.issuersOf(authority);
    if (signers.includes(authority)) return [];
    const named = this.all.filter((one) =>
      one.subject === authority.issuer &&
      // Nobody but itself can have signed it, in whatever way.
      !(one.subject === authority.subject && one.hasKeyOf(authority))
    );
    if (signers.length === 0 && named.length > 0) {
      throw wrong(
        `has ${authority.name}, which no ${authority.issuerName} there has ` +
          `signed in a way that is known here (${KNOWN_WAYS})`,
      );
    }
    return signers;
  }
}

function wrong(what: string, cause?: unknown): TcpmuxError {
  return new TcpmuxError("failed", what, { cause });
}
