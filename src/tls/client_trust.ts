/** Who clients are, by the certificates that they show. */
import type { PeerCertificate } from "../endpoint.ts";
import { messageOf } from "../errors.ts";
import { type Refusal, refusal } from "../policy/refusal.ts";
import { nodeCrypto } from "../transport/net/builtins.ts";
import {
  mayResume,
  type ShownCertificate,
} from "../transport/net/tls/accept.ts";
import { TLS_REPLIES } from "../wire.ts";
import { type Authorities, Judged } from "./authorities.ts";
import { certificateOf } from "./certificate.ts";
import { certificatesIn } from "./der.ts";
import type { RevocationLists } from "./revocation.ts";
import { isKnownWay } from "./signatures.ts";

/** Bytes of a certificate, with a hundred names and more. */
const MOST = 16 * 1024;
/** Characters of a name in the reason of a refusal, and of all of it. */
const MOST_OF_NAME = 200;
const MOST_OF_REASON = 600;

/** What a client is, or why it is refused; empty for one without certificate. */
export interface ClientVerdict {
  readonly certificate?: PeerCertificate;
  readonly refusal?: Refusal;
}

/** Of a client that shows none where one is required. */
export const NO_CERTIFICATE = refusal(
  "bad_certificate",
  "the client shows no certificate, which this server requires",
  TLS_REPLIES.noCertificate,
);

/** What clients are judged by. */
export class ClientTrust {
  readonly #isRequired: boolean;
  readonly authorities: Authorities;
  readonly lists: RevocationLists | undefined;

  constructor(
    isRequired: boolean,
    authorities: Authorities,
    lists: RevocationLists | undefined,
  ) {
    this.#isRequired = isRequired;
    this.authorities = authorities;
    this.lists = lists;
  }

  /**
   * Judges a client. The runtime has found out that it has the key of what it
   * shows, and whether an authority has signed that, and has its verdict. What
   * is found here comes on top: runtimes do not agree on revocation, and where
   * sessions are resumed nobody has verified anything.
   *
   * @param shown undefined for a client that shows none
   */
  judge(shown: ShownCertificate | undefined): ClientVerdict {
    if (shown === undefined) {
      return this.#isRequired ? { refusal: NO_CERTIFICATE } : {};
    }
    const now = Date.now();
    return verdictOn(
      shown.der,
      (certificate) => this.#against(certificate, shown, now),
    );
  }

  /**
   * Judges a certificate that nobody shows just now, so that no runtime has a
   * verdict: what is found here decides alone.
   *
   * @param along what its client would show with it
   * @param now when that would be, in milliseconds since 1970
   */
  foretell(
    der: Uint8Array,
    along: readonly Uint8Array[],
    now: number,
  ): ClientVerdict {
    return verdictOn(
      der,
      (certificate) =>
        whyUnfit(certificate, mayResume(), now) ??
          this.#againstIssuer(this.#nearest(certificate, along, now), now),
    );
  }

  #against(
    certificate: Judged,
    { isTrusted, isDoubtful, verdict }: ShownCertificate,
    now: number,
  ): string | undefined {
    const unfit = whyUnfit(certificate, isDoubtful, now);
    if (unfit !== undefined) return unfit;
    // Who was found good may have come by an authority that it has shown along.
    if (isTrusted && this.lists === undefined && !isDoubtful) return undefined;
    return this.#againstIssuer(certificate, now) ??
      (isTrusted ? undefined : `not good: ${verdict}`);
  }

  /**
   * The first of a client's certificates that is signed by one of the
   * authorities here, where runtimes look at what it shows along; else its own.
   */
  #nearest(
    certificate: Judged,
    along: readonly Uint8Array[],
    now: number,
  ): Judged {
    if (this.lists !== undefined || mayResume()) return certificate;
    const between = along.map((der) => new Judged(der)).filter((one) =>
      one.isAuthority && one.outOfDate(now) === undefined
    );
    const line = [certificate];
    for (const one of line) {
      if (this.authorities.issuerOf(one) !== undefined) return one;
      const above = between.find((other) => one.isSignedBy(other));
      if (above !== undefined && !line.includes(above)) line.push(above);
    }
    return certificate;
  }

  #againstIssuer(certificate: Judged, now: number): string | undefined {
    const { authorities } = this;
    const authority = authorities.issuerOf(certificate, now);
    if (authority === undefined) {
      const issuer = cut(certificate.issuerName, MOST_OF_NAME);
      return isKnownWay(certificate.signed)
        ? `signed by ${issuer}, which is not in client_ca`
        : `signed by ${issuer} in a way that is not known here`;
    }
    return authorities.whyNotInForce(authority, now) ??
      this.#revoked(certificate, now);
  }

  #revoked(certificate: Judged, now: number): string | undefined {
    const { authorities, lists } = this;
    if (lists === undefined) return undefined;
    for (const { of, by } of authorities.signaturesOn(certificate, now)) {
      const why = lists.against(of, by, now);
      if (why === undefined) continue;
      return of === certificate ? why : `of ${of.name}, which is ${why}`;
    }
  }
}

/**
 * What becomes of a client, by what speaks against its certificate; what cannot
 * be read is refused.
 */
export function verdictOn(
  der: Uint8Array,
  against: (certificate: Judged) => string | undefined,
): ClientVerdict {
  if (der.length > MOST) {
    return refused("", `larger than ${MOST} bytes (${der.length})`);
  }
  try {
    const judged = new Judged(der);
    const why = against(judged);
    if (why !== undefined) return refused(judged.name, why);
    return { certificate: identified(der, judged) };
  } catch (error) {
    return refused("", `malformed: ${messageOf(error)}`);
  }
}

/** What is wrong with a certificate, whoever has signed it. */
export function whyUnfit(
  certificate: Judged,
  isDoubtful: boolean,
  now: number,
): string | undefined {
  return certificate.outOfDate(now) ?? certificate.unfit() ??
    (isDoubtful && !certificate.fields.isVersion3
      ? "not of version 3, and Deno takes no other"
      : undefined);
}

function refused(name: string, why: string): ClientVerdict {
  const whose = name === ""
    ? "the client's certificate"
    : `certificate ${cut(name, MOST_OF_NAME)}`;
  return {
    refusal: refusal(
      "bad_certificate",
      cut(`${whose} is ${why}`, MOST_OF_REASON),
      TLS_REPLIES.badCertificate,
    ),
  };
}

/** The first characters of a text, none of them half. */
function cut(text: string, most: number): string {
  return text.length > most
    ? `${text.slice(0, most).replace(/[\ud800-\udbff]$/, "")}…`
    : text;
}

/**
 * Why no server takes our own certificate, which is the first one of a text;
 * undefined where nothing is known against it.
 */
export function whyOursIsUnfit(pem: string): string | undefined {
  try {
    const own = new Judged(certificatesIn(pem)[0]!);
    const isServers = own.isForServers && !own.isForClients;
    const why = own.outOfDate(Date.now()) ??
      (isServers ? "for servers only" : own.unfit());
    return why && `ours, ${own.name}, is ${why}`;
  } catch (error) {
    return `ours is malformed: ${messageOf(error)}`;
  }
}

/** @throws {TcpmuxError} for bytes that are no certificate */
function identified(
  der: Uint8Array,
  { fields } = new Judged(der),
): PeerCertificate {
  const { subject, issuer, names } = certificateOf(fields);
  const fingerprint = nodeCrypto().createHash("sha256").update(der)
    .digest("hex");
  return { subject, issuer, names, fingerprint };
}
