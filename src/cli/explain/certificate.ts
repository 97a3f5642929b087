/** The certificate of the client that explain is asked about. */
import { readFile } from "node:fs/promises";
import type { PeerCertificate } from "../../endpoint.ts";
import { TcpmuxError } from "../../errors.ts";
import { alternativeNamesText, nameText } from "../../policy/certificates.ts";
import { Judged } from "../../tls/authorities.ts";
import { identified } from "../../tls/clients.ts";
import { certificatesIn } from "../../tls/der.ts";
import { fromSystem } from "../../transport/errno.ts";

export interface ExplainedCertificate {
  readonly certificate: PeerCertificate;
  /** Its names. */
  readonly text: string;
  /** Why it is refused whatever the table says; undefined if it is not. */
  readonly fault: string | undefined;
}

/**
 * @param file with the certificate first, in PEM
 * @param now when it is shown, in milliseconds since 1970
 * @throws {TcpmuxError} where there is none
 */
export async function certificateIn(
  file: string,
  now: number,
): Promise<ExplainedCertificate> {
  const pem = await readFile(file, "utf8").catch((error) => {
    throw fromSystem(error, `--certificate ${file}`);
  });
  try {
    const der = certificatesIn(pem)[0]!;
    const judged = new Judged(der);
    const certificate = identified(der);
    const names = alternativeNamesText(certificate.names);
    return {
      certificate,
      text: [nameText(certificate.subject), names].filter(Boolean).join("; "),
      fault: judged.outOfDate(now) ?? judged.unfit(),
    };
  } catch (cause) {
    throw new TcpmuxError(
      "failed",
      `--certificate ${file}: it does not begin with a certificate in PEM`,
      { cause },
    );
  }
}
