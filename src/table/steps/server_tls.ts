/** TLS of the server itself, `[server.tls]`: its keys, and what they say. */
import { isIPv4 } from "node:net";
import * as v from "valibot";
import {
  CERTIFICATE_FORM,
  readCertificateRule,
} from "../../policy/certificates.ts";
import { optional, preset, required, table } from "../keys.ts";
import {
  choice,
  flag,
  hostName,
  listOf,
  name,
  transformed,
} from "../values.ts";

/** The key by which the server and each service let in certificates. */
export function allowCertificate(description: string) {
  const rule = transformed(readCertificateRule, CERTIFICATE_FORM, "name");
  return preset(
    listOf(rule, "list of names in certificates"),
    [],
    description,
  );
}

const files = {
  cert: required(
    name("path of a file", ""),
    "The file of the certificate in PEM, followed by those of the authorities " +
      "between it and the one that clients trust. A path begins where the " +
      "table is; a name without a slash is first looked for among the " +
      "credentials that systemd hands over (`LoadCredential=`).",
  ),
  key: required(
    name("path of a file", ""),
    "The file of its private key in PEM, without a password.",
  ),
};

const DOMAINS = "a list of host names, or true or false";

/** Clients name no address by SNI (RFC 6066, section 3). */
const domain = v.pipe(
  hostName(),
  v.check(
    (text) => !isIPv4(text),
    "a host name (clients that connect to an address name no host by SNI)",
  ),
);

export const tlsSchema = table({
  ...files,
  certificates: preset(
    listOf(
      v.pipe(
        table(files, "a table with cert and key"),
        v.description("A certificate and its key."),
      ),
      "list of tables",
    ),
    [],
    "More certificates, each a table `[[server.tls.certificates]]` with " +
      "`cert` and `key`. A client gets the one that has the name that it asks " +
      "for (SNI) among its DNS names, where `*` stands for one label; else the " +
      "first of all.",
  ),
  min_version: preset(
    choice(["1.2", "1.3"]),
    "1.2",
    "The lowest version of TLS that is spoken.",
  ),
  require_alpn: preset(
    flag(),
    false,
    "Whether a client is refused that does not ask for the protocol `tcpmux` " +
      "(ALPN). One that asks for other protocols alone is always refused, " +
      "unless it names a service by `sni_names`.",
  ),
  sni_names: preset(
    v.pipe(
      v.union([flag(), listOf(domain, "")], DOMAINS),
      v.metadata({
        value: "list of host names, `true` or `false`",
        form: DOMAINS,
      }),
    ),
    false,
    "Domains whose hosts name services, for clients that know TLS alone: one " +
      "that means `NAME.DOMAIN` (SNI), or a host that is called as a service " +
      "or an alias, gets that service, without a service line and a reply; an " +
      "unknown NAME is refused by TLS. Any other host, such as DOMAIN itself, " +
      "and a client that asks for the protocol `tcpmux` (ALPN), is served as " +
      "without this key. `true` is for any domain: where the first label is no " +
      "service's name, the client is served as without this key, too.",
  ),
  client_ca: optional(
    name("path of a file"),
    "none",
    "The file, in PEM, of the authorities (CA) that sign the certificates of " +
      "clients; found as `cert` is. List those between a client's certificate " +
      "and the CA too.",
  ),
  client_certificate: optional(
    choice(["none", "optional", "required"]),
    "`required` with `client_ca`, else `none`",
    "Whether clients are asked for a certificate. With `required`, who shows " +
      "none is refused; with `optional`, it is nobody for " +
      "`allow_certificate`. A certificate that is not good is refused with " +
      "both: of another CA, expired, not yet valid, revoked, for servers only.",
  ),
  crl: optional(
    name("path of a file"),
    "none",
    "The file, in PEM, of the lists of revoked certificates (CRL), one of each " +
      "authority in `client_ca`; found as `cert` is. When a list has ended, " +
      "all certificates of that authority are refused.",
  ),
}, "a table such as [server.tls]");

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
