/** What `[server.tls]` says, and whether it fits the addresses to listen on. */
import type * as z from "zod";
import { formatPlace } from "../../parse_endpoint.ts";
import type { Problems } from "../problem.ts";
import type { ListenerSpec } from "../service.ts";
import type { tlsSchema } from "./schema.ts";

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
  };
}

/** Adds problems for addresses whose TLS is missing, or that contradict. */
export function addTlsProblems(
  listeners: readonly ListenerSpec[],
  tls: TlsSettings | undefined,
  problems: Problems,
): void {
  const seen = new Map<string, boolean>();
  for (const [index, { endpoint }] of listeners.entries()) {
    if (endpoint === undefined) continue;
    const path = ["server", "listen", index];
    const isTls = endpoint.tls === true;
    if (isTls && tls === undefined) {
      problems.add(
        path,
        "tls:// needs [server.tls] with cert and key (or take tls:// away)",
      );
    }
    const place = formatPlace(endpoint);
    const other = seen.get(place);
    if (other !== undefined && other !== isTls && !/:0$/.test(place)) {
      problems.add(path, `${place} stands there both with tls:// and without`);
    }
    seen.set(place, isTls);
  }
}
