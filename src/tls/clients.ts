/** Who clients are, by the certificates that they show. */
import type { PeerCertificate } from "../endpoint.ts";
import { messageOf } from "../errors.ts";
import { type Refusal, refusal } from "../policy/refusal.ts";
import { nodeCrypto } from "../transport/net/builtins.ts";
import type { ShownCertificate } from "../transport/net/tls/accept.ts";
import { type Authorities, Judged, SERVER_AUTH } from "./authorities.ts";
import { TLS_REPLIES } from "../wire.ts";
import { readCertificate } from "./certificate.ts";
import { certificatesIn } from "./der.ts";
import type { RevocationLists } from "./revocation.ts";

/** Bytes of a certificate, with a hundred names and more. */
const MOST = 16 * 1024;
/** Characters of a name in the reason of a refusal. */
const MOST_OF_NAME = 200;

/** What a client is, or why it is refused; nobody has neither. */
export interface ClientVerdict {
  readonly certificate?: PeerCertificate;
  readonly refusal?: Refusal;
}

const NO_CERTIFICATE = refusal(
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
    const { der } = shown;
    if (der.length > MOST) {
      return refused("", `larger than ${MOST} bytes (${der.length})`);
    }
    try {
      const judged = new Judged(der);
      const why = this.#against(judged, shown);
      if (why !== undefined) return refused(judged.name, why);
      return { certificate: identified(der) };
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
    const { authorities, lists } = this;
    // Who was found good may have come by an authority that it has shown along.
    if (isTrusted && lists === undefined && !isDoubtful) return undefined;
    const authority = authorities.issuerOf(certificate);
    if (authority === undefined) {
      return `signed by ${certificate.issuerName}, which is not in client_ca`;
    }
    const line = authorities.lineOf(authority);
    for (const one of line) {
      const why = one.outOfDate(now);
      if (why !== undefined) return `of ${one.name}, which is ${why}`;
    }
    return this.#revoked([certificate, ...line], now) ??
      (isTrusted ? undefined : `not good: ${verdict}`);
  }

  /** @param line each signed by the next, the last by one that is not here */
  #revoked(line: readonly Judged[], now: number): string | undefined {
    for (const [index, one] of line.entries()) {
      const above = line[index + 1];
      const why = above && this.lists?.against(one, above, now);
      if (why === undefined) continue;
      return index === 0 ? why : `of ${one.name}, which is ${why}`;
    }
  }
}

function refused(name: string, why: string): ClientVerdict {
  const cut = name.length > MOST_OF_NAME
    ? `${name.slice(0, MOST_OF_NAME)}…`
    : name;
  const whose = cut === "" ? "the client's certificate" : `certificate ${cut}`;
  return {
    refusal: refusal(
      "bad_certificate",
      `${whose} is ${why}`,
      TLS_REPLIES.badCertificate,
    ),
  };
}

/**
 * Why no server takes a client's certificate, which is the first one of a text;
 * undefined where nothing is known against it.
 */
export function whyUnfit(pem: string): string | undefined {
  try {
    const own = new Judged(certificatesIn(pem)[0]!);
    const isServers = own.purposes?.join() === SERVER_AUTH;
    const why = own.outOfDate(Date.now()) ??
      (isServers ? "for servers only" : own.unfit());
    return why && `ours, ${own.name}, is ${why}`;
  } catch (error) {
    return `ours is malformed: ${messageOf(error)}`;
  }
}

/** @throws {TcpmuxError} for bytes that are no certificate */
export function identified(der: Uint8Array): PeerCertificate {
  const { subject, issuer, names } = readCertificate(der);
  const fingerprint = nodeCrypto().createHash("sha256").update(der)
    .digest("hex");
  return { subject, issuer, names, fingerprint };
}
