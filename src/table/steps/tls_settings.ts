/** What `[server.tls]` says. */
import type * as v from "valibot";
import type { tlsSchema } from "./tls_schema.ts";

/** A certificate and its key, as the table names their files. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** The values of `[server.tls]`. */
export interface TlsSettings {
  /** The first is for clients that ask for no name, or for an unknown one. */
  readonly certificates: readonly [CertificateFiles, ...CertificateFiles[]];
  readonly minVersion: "1.2" | "1.3";
  readonly requireAlpn: boolean;
  /** The domains whose hosts name services, in lower case. */
  readonly sniNames: readonly string[] | true;
  /** Whether clients are asked for a certificate. */
  readonly clientCertificate: "none" | "optional" | "required";
  /** The files of their authorities and of revoked ones, as the table has it. */
  readonly clientCa: string | undefined;
  readonly crl: string | undefined;
}

export function resolveTls(
  valid: v.InferOutput<typeof tlsSchema> | undefined,
): TlsSettings | undefined {
  if (valid === undefined) return undefined;
  const { cert, key, certificates, client_ca: clientCa, crl } = valid;
  const asked = clientCa === undefined ? "none" : "required";
  return {
    certificates: [{ cert, key }, ...certificates],
    minVersion: valid.min_version,
    requireAlpn: valid.require_alpn,
    sniNames: valid.sni_names === true
      ? true
      : (valid.sni_names || []).map((name) => name.toLowerCase()),
    clientCertificate: valid.client_certificate ?? asked,
    clientCa,
    crl,
  };
}
