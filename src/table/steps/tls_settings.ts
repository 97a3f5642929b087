/** What `[server.tls]` says. */
import type * as z from "zod";
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
}

export function resolveTls(
  valid: z.output<typeof tlsSchema> | undefined,
): TlsSettings | undefined {
  if (valid === undefined) return undefined;
  const { cert, key, certificates } = valid;
  return {
    certificates: [{ cert, key }, ...certificates],
    minVersion: valid.min_version,
    requireAlpn: valid.require_alpn,
    sniNames: valid.sni_names === true
      ? true
      : (valid.sni_names || []).map((name) => name.toLowerCase()),
  };
}
