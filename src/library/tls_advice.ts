/** What clients would run into by `[server.tls]`, though its files are right. */
import { stat } from "node:fs/promises";
import { getEnv } from "../transport/permission.ts";
import type { KeyPath, Problems } from "../table/problem.ts";
import type {
  CertificateFiles,
  TlsSettings,
} from "../table/steps/server_tls.ts";
import type { Table } from "../table/table.ts";
import { Judged } from "../tls/authorities.ts";
import { readCertificate } from "../tls/certificate.ts";
import { certificatesIn } from "../tls/der.ts";
import { isPem, type ServerCertificate, TlsFolder } from "../tls/files.ts";

const TLS = ["server", "tls"];

/**
 * @param certificates as they stand in the files that the table names
 * @param file the table's, where paths begin
 */
export async function adviseTls(
  { listeners, server: { tls } }: Table,
  certificates: readonly ServerCertificate[],
  advice: Problems,
  file: string | undefined,
): Promise<void> {
  if (tls === undefined) return;
  if (!listeners.some(({ endpoint }) => endpoint?.tls)) {
    adviseUnused(tls, advice);
    return;
  }
  const folder = new TlsFolder(file, getEnv("CREDENTIALS_DIRECTORY"));
  for (const [index, files] of tls.certificates.entries()) {
    const at = index === 0 ? TLS : [...TLS, "certificates", index - 1];
    adviseCertificate(certificates[index]!, [...at, "cert"], advice);
    await adviseKey(files, folder, [...at, "key"], advice);
  }
  if (tls.sniNames === true) return;
  const hosts = certificates.flatMap(({ hosts }) => hosts);
  for (const [index, domain] of tls.sniNames.entries()) {
    if (hosts.some((host) => host.endsWith(`.${domain}`))) continue;
    advice.add(
      [...TLS, "sni_names", index],
      `no certificate has a name such as *.${domain}; clients that mean a host ` +
        "there refuse the server, unless they do not check its name",
    );
  }
}

/** Of what is served without TLS, though the table has a certificate. */
function adviseUnused(
  { sniNames, clientCa }: TlsSettings,
  advice: Problems,
): void {
  const why = "has no effect: no address of listen begins with tls://";
  advice.add(TLS, `${why}, so that all clients are served without TLS`);
  if (sniNames === true || sniNames.length > 0) {
    advice.add([...TLS, "sni_names"], why);
  }
  if (clientCa !== undefined) advice.add([...TLS, "client_ca"], why);
}

function adviseCertificate(
  { cert, file }: ServerCertificate,
  at: KeyPath,
  advice: Problems,
): void {
  const [der] = certificatesIn(cert);
  const { names } = readCertificate(der!);
  if (!names.some(({ kind }) => kind === "dns" || kind === "ip")) {
    advice.add(
      at,
      `${file} is for no DNS name and no address (SAN); clients that check its ` +
        "name refuse the server",
    );
  }
  if (!new Judged(der!).isForServers) {
    advice.add(
      at,
      `${file} is not for servers, by its extended key usage; clients that ` +
        "check it refuse the server",
    );
  }
}

/** Groups may read a key, so that a server without root's rights can. */
const READ_BY_ALL = 0o004;

async function adviseKey(
  { key }: CertificateFiles,
  folder: TlsFolder,
  at: KeyPath,
  advice: Problems,
): Promise<void> {
  if (isPem(key)) return; // a program has given it
  const path = await folder.pathOf(key);
  const { mode } = await stat(path);
  if ((mode & READ_BY_ALL) === 0) return;
  advice.add(at, `${path} can be read by all users (chmod o= ${path})`);
}
