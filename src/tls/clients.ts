/** Who clients are, by the certificates that they show. */
import type { PeerCertificate } from "../endpoint.ts";
import { messageOf } from "../errors.ts";
import { type Refusal, refusal } from "../policy/refusal.ts";
import { nodeCrypto } from "../transport/net/builtins.ts";
import type { ShownCertificate } from "../transport/net/tls/accept.ts";
import { type Authorities, Judged } from "./authorities.ts";
import { certificateOf } from "./certificate.ts";
import type { RevocationLists } from "./revocation.ts";
import { isKnownWay } from "./signatures.ts";

/** Bytes of a certificate, with a hundred names and more. */
const MOST = 16 * 1024;
/** Characters of a name in the reason of a refusal, and of all of it. */
const MOST_OF_NAME = 200;
const MOST_OF_REASON = 600;

/** What a client is, or why it is refused; nobody has neither. */
export interface ClientVerdict {
  readonly certificate?: PeerCertificate;
  readonly refusal?: Refusal;
}

const NO_CERTIFICATE = refusal(
  "bad_certificate",
  "the client shows no certificate, which this server requires",
  "Certificate required",
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
    const { der } = shown;
    if (der.length > MOST) {
      return refused("", `larger than ${MOST} bytes (${der.length})`);
    }
    try {
      const judged = new Judged(der);
      const why = this.#against(judged, shown);
      if (why !== undefined) return refused(judged.name, why);
      return { certificate: identified(der, judged) };
    } catch (error) {
      return refused("", `malformed: ${messageOf(error)}`);
    }
  }

  #against(
    certificate: Judged,
    { isTrusted, isDoubtful, verdict }: ShownCertificate,
  ): string | undefined {
    const now = Date.now();
    const unfit = certificate.outOfDate(now) ?? certificate.unfit();
    if (unfit !== undefined) return unfit;
    if (isDoubtful && !certificate.fields.isVersion3) {
      return "not of version 3, and Deno takes no other";
    }
    // Who was found good may have come by an authority that it has shown along.
    if (isTrusted && this.lists === undefined && !isDoubtful) return undefined;
    return this.#againstIssuer(certificate, now) ??
      (isTrusted ? undefined : `not good: ${verdict}`);
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

function refused(name: string, why: string): ClientVerdict {
  const whose = name === ""
    ? "the client's certificate"
    : `certificate ${cut(name, MOST_OF_NAME)}`;
  return {
    refusal: refusal(
      "bad_certificate",
      cut(`${whose} is ${why}`, MOST_OF_REASON),
      "Certificate refused",
    ),
  };
}

/** The first characters of a text, none of them half. */
function cut(text: string, most: number): string {
  return text.length > most
    ? `${text.slice(0, most).replace(/[\ud800-\udbff]$/, "")}…`
    : text;
}

/** @throws {TcpmuxError} for bytes that are no certificate */
export function identified(
  der: Uint8Array,
  { fields } = new Judged(der),
): PeerCertificate {
  const { subject, issuer, names } = certificateOf(fields);
  const fingerprint = nodeCrypto().createHash("sha256").update(der)
    .digest("hex");
  return { subject, issuer, names, fingerprint };
}
