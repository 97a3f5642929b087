/** The certificate of the client that explain is asked about. */
import { readFile } from "node:fs/promises";
import { TcpmuxError } from "../../errors.ts";
import { alternativeNamesText, nameText } from "../../policy/certificates.ts";
import { readCertificate } from "../../tls/certificate.ts";
import { certificatesIn } from "../../tls/der.ts";
import { fromSystem } from "../../transport/errno.ts";

export interface ExplainedCertificate {
  readonly der: Uint8Array;
  /** The certificates that the client shows with it. */
  readonly along: readonly Uint8Array[];
  /** Its names. */
  readonly text: string;
}

/**
 * @param file with the certificate first, in PEM
 * @throws {TcpmuxError} where there is none
 */
export async function certificateIn(
  file: string,
): Promise<ExplainedCertificate> {
  const pem = await readFile(file, "utf8").catch((error) => {
    throw fromSystem(error, `--certificate ${file}`);
  });
  try {
    const [der, ...along] = certificatesIn(pem);
    const { subject, names } = readCertificate(der!);
    const texts = [nameText(subject), alternativeNamesText(names)];
    return { der: der!, along, text: texts.filter(Boolean).join("; ") };
  } catch (cause) {
    throw new TcpmuxError(
      "failed",
      `--certificate ${file}: it does not begin with a certificate in PEM`,
      { cause },
    );
  }
}
