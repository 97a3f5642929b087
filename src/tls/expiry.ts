/** The ends of certificates, and the warning that one is near. */
import type { Log } from "../log.ts";

/** A certificate, as far as its end goes. */
export interface CertificateEnd {
  /** Its file, as the table names it. */
  readonly file: string;
  readonly until: Date;
}

/** From so many milliseconds before its end on, a certificate is warned of. */
const NOTICE = 14 * 24 * 3600 * 1000;

const REASON = "clients that check it refuse the server then (put a new one " +
  "in its place: it is used by itself)";

/** Warns of certificates that have ended, or do so within two weeks. */
export function warnOfExpiry(
  certificates: readonly CertificateEnd[],
  log: Log,
): void {
  for (const { file: certificate, until } of certificates) {
    const left = until.getTime() - Date.now();
    if (left > NOTICE) continue;
    const what = left > 0 ? "ends soon" : "has ended";
    const facts = { certificate, until: until.toISOString(), reason: REASON };
    log("warn", `a certificate of [server.tls] ${what}`, facts);
  }
}
