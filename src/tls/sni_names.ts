import type { ClientHello } from "../handshake/tls_step.ts";

/** The name of TCPMUX among the protocols of ALPN. */
export const ALPN = "tcpmux";

/**
 * The service that a client names by the host that it means, so that it need
 * not speak TCPMUX: a service's name, or that in front of one of the domains.
 * The domains themselves are the server's own names. Who asks for the protocol
 * `tcpmux` (ALPN) sends a service line, whatever the host is called.
 *
 * @param domains in lower case; none where hosts name no services
 * @param byName the services, by names in upper case
 * @returns undefined for a client that is to name a service by its line; a name
 * in a domain that is no service's is the whole host, which is none either
 */
export function nameBySni(
  { sni, alpn }: Pick<ClientHello, "sni" | "alpn">,
  domains: readonly string[],
  byName: ReadonlyMap<string, unknown>,
): string | undefined {
  if (sni === undefined || domains.length === 0) return undefined;
  if (alpn.includes(ALPN) || domains.includes(sni)) return undefined;
  if (byName.has(sni.toUpperCase())) return sni;
  const [domain] = domains.filter((domain) => sni.endsWith(`.${domain}`))
    .toSorted((a, b) => b.length - a.length);
  if (domain === undefined) return undefined;
  const name = sni.slice(0, -domain.length - 1);
  return byName.has(name.toUpperCase()) ? name : sni;
}
