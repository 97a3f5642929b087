import type { ClientHello } from "../handshake/client_hello.ts";
import { ALPN } from "../wire.ts";

/**
 * The service that a client names by the host that it means, so that it need
 * not speak TCPMUX: a service's name, or that in front of one of the domains.
 * The domains themselves are the server's own names. Who asks for the protocol
 * `tcpmux` (ALPN) sends a service line, whatever the host is called.
 *
 * @param domains in lower case; none where hosts name no services, and true for
 * any domain: there, what the first label names no service for is TCPMUX
 * @param byName the services, by names in upper case
 * @returns undefined for a client that is to name a service by its line; a name
 * in a domain that is no service's is the whole host, which is none either
 */
export function nameBySni(
  { sni, alpn }: Pick<ClientHello, "sni" | "alpn">,
  domains: readonly string[] | true,
  byName: ReadonlyMap<string, unknown>,
): string | undefined {
  if (sni === undefined || alpn.includes(ALPN)) return undefined;
  const isService = (name: string) => byName.has(name.toUpperCase());
  if (domains === true) {
    return [sni, sni.replace(/\..*/, "")].find(isService);
  }
  if (domains.length === 0 || domains.includes(sni)) return undefined;
  if (isService(sni)) return sni;
  const [domain] = domains.filter((domain) => sni.endsWith(`.${domain}`))
    .toSorted((a, b) => b.length - a.length);
  if (domain === undefined) return undefined;
  const name = sni.slice(0, -domain.length - 1);
  return isService(name) ? name : sni;
}
