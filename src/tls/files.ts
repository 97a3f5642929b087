/** Reads the files that `[server.tls]` names. */
import type { Buffer } from "node:buffer";
import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { messageOf, TcpmuxError } from "../errors.ts";
import type { KeyPath, Problems } from "../table/problem.ts";
import type {
  CertificateFiles,
  TlsSettings,
} from "../table/steps/tls_settings.ts";
import { fromSystem } from "../transport/errno.ts";
import { nodeCrypto } from "../transport/net/builtins.ts";
import { mayResume } from "../transport/net/tls/accept.ts";
import { Authorities } from "./authorities.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { ClientTrust } from "./clients.ts";
import { certificatesIn } from "./der.ts";
import type { CertificateEnd } from "./expiry.ts";
import { RevocationLists } from "./revocation.ts";

/** A certificate with its chain, and its key. */
export interface ServerCertificate extends CertificateEnd {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** Its DNS names, in lower case. */
  readonly hosts: readonly string[];
}

/** What TLS needs of the files. */
export interface TlsMaterial {
  readonly certificates: readonly ServerCertificate[];
  /** Undefined where clients are not asked for a certificate. */
  readonly clients: ClientTrust | undefined;
}

/** Where the files of a table are. */
export class TlsFolder {
  readonly #folder: string;
  readonly #credentials: string | undefined;

  /**
   * @param table the table's file; undefined for the working directory
   * @param credentials of systemd's, by `CREDENTIALS_DIRECTORY`
   */
  constructor(table: string | undefined, credentials: string | undefined) {
    this.#folder = dirname(resolve(table ?? "table"));
    this.#credentials = credentials;
  }

  async pathOf(name: string): Promise<string> {
    if (this.#credentials !== undefined && !name.includes("/")) {
      const path = join(this.#credentials, name);
      if (await stat(path).then(() => true, () => false)) return path;
    }
    return resolve(this.#folder, name);
  }

  /**
   * Which files there are now: it changes whenever one of them does. Links are
   * followed, as a volume of Kubernetes has them.
   */
  stateOf(settings: TlsSettings): Promise<string> {
    const { certificates, clientCa, crl } = settings;
    const names = certificates.flatMap(({ cert, key }) => [cert, key]);
    if (clientCa !== undefined) names.push(clientCa);
    if (crl !== undefined) names.push(crl);
    return this.stateOfFiles(names);
  }

  /** The same of these files. */
  async stateOfFiles(names: readonly string[]): Promise<string> {
    const states = names.map(async (name) => {
      const found = await stat(await this.pathOf(name)).catch(() => undefined);
      return [found?.dev, found?.ino, found?.size, found?.ctimeMs].join(":");
    });
    return (await Promise.all(states)).join(" ");
  }

  /** Adds a problem for each file that is missing or does not fit. */
  async read(
    settings: TlsSettings,
    problems: Problems,
  ): Promise<TlsMaterial> {
    const { certificates } = settings;
    const read: ServerCertificate[] = [];
    for (const [index, files] of certificates.entries()) {
      const path = ["server", "tls"];
      const at = index === 0 ? path : [...path, "certificates", index - 1];
      const one = await this.pair(files, at, problems);
      if (one !== undefined) read.push(one);
    }
    const clients = await this.#clients(settings, problems);
    return { certificates: read, clients };
  }

  async #clients(
    { clientCertificate: asked, clientCa, crl }: TlsSettings,
    problems: Problems,
  ): Promise<ClientTrust | undefined> {
    if (asked === "none" || clientCa === undefined) return undefined;
    const authorities = await this.#made(
      clientCa,
      ["server", "tls", "client_ca"],
      problems,
      (pem) => new Authorities(pem, mayResume()),
    );
    if (authorities === undefined) return undefined;
    const lists = crl === undefined ? undefined : await this.#made(
      crl,
      ["server", "tls", "crl"],
      problems,
      (pem) => new RevocationLists(pem, authorities),
    );
    return new ClientTrust(asked === "required", authorities, lists);
  }

  /** What `make` makes of a file, or a problem with what it throws. */
  async #made<T>(
    name: string,
    at: KeyPath,
    problems: Problems,
    make: (pem: string) => T,
  ): Promise<T | undefined> {
    const pem = await this.text(name, at, problems);
    if (pem === undefined) return undefined;
    try {
      return make(pem);
    } catch (error) {
      if (!(error instanceof TcpmuxError)) throw error;
      problems.add(at, `${name} ${error.message}`);
    }
  }

  /** Adds a problem where they are missing or do not fit each other. */
  async pair(
    files: CertificateFiles,
    at: KeyPath,
    problems: Problems,
  ): Promise<ServerCertificate | undefined> {
    const cert = await this.text(files.cert, [...at, "cert"], problems);
    const key = await this.text(files.key, [...at, "key"], problems);
    for (const { of, message } of faultsOfPair({ cert, key }, files)) {
      problems.add([...at, of], message);
    }
    const own = cert === undefined ? undefined : ownOf(cert);
    if (cert === undefined || key === undefined || own === undefined) {
      return undefined;
    }
    const { until } = own;
    return { cert, key, hosts: hostsOf(own), file: files.cert, until };
  }

  /** What stands in a file, or what a program has given in its place. */
  async text(
    name: string,
    at: KeyPath,
    problems: Problems,
  ): Promise<string | undefined> {
    if (name.includes("-----BEGIN ")) return name;
    const path = await this.pathOf(name);
    try {
      return await readFile(path, "utf8");
    } catch (error) {
      const cure =
        "the path begins where the table is, and the server's user " +
        "must be able to read the file";
      problems.add(at, `${messageOf(fromSystem(error, path))} (${cure})`);
    }
  }
}

/** What is wrong with a text in PEM. */
export interface PemFault {
  readonly of: "cert" | "key";
  readonly message: string;
}

/**
 * What is wrong with a certificate and its key, of those that are there.
 *
 * @param names of their files
 */
export function faultsOfPair(
  { cert, key }: Partial<CertificateFiles>,
  names: CertificateFiles,
): PemFault[] {
  const own = cert === undefined ? undefined : ownOf(cert);
  const publicKey = key === undefined ? undefined : publicKeyOf(key);
  const [ofCert, ofKey] = [names.cert, names.key].map(shown);
  const faults: PemFault[] = [];
  if (cert !== undefined && own === undefined) {
    const message = `${ofCert} does not begin with a certificate in PEM`;
    faults.push({ of: "cert", message });
  }
  if (key !== undefined && publicKey === undefined) {
    const message = `${ofKey} is no private key in PEM, or it has a password ` +
      "(take it off: openssl pkey -in FILE -out NEW)";
    faults.push({ of: "key", message });
  }
  if (own !== undefined && publicKey?.equals(own.publicKey) === false) {
    const message = `${ofKey} is not the key of the certificate in ${ofCert} ` +
      "(give the one that it was made for)";
    faults.push({ of: "key", message });
  }
  return faults;
}

/** What is wrong with the authorities of a text; undefined for nothing. */
export function faultOfAuthorities(
  pem: string,
  name: string,
): string | undefined {
  const all = certificatesIn(pem);
  if (all.length === 0) return `${shown(name)} holds no certificate in PEM`;
  try {
    for (const der of all) readCertificate(der);
  } catch {
    return `${shown(name)} holds a certificate that cannot be read`;
  }
}

/** A program may give a text in place of a file: no message repeats a key. */
function shown(name: string): string {
  return name.includes("-----BEGIN ") ? "the text" : name;
}

/** The first certificate, which is the server's own. */
function ownOf(pem: string): Certificate | undefined {
  try {
    return readCertificate(certificatesIn(pem)[0]!);
  } catch {
    return undefined; // the caller says so
  }
}

function publicKeyOf(pem: string): Buffer | undefined {
  const { createPrivateKey, createPublicKey } = nodeCrypto();
  try {
    const key = createPublicKey(createPrivateKey(pem));
    return key.export({ type: "spki", format: "der" });
  } catch {
    return undefined; // the caller says so
  }
}

function hostsOf({ names }: Certificate): string[] {
  return names.filter(({ kind }) => kind === "dns")
    .map(({ value }) => value.toLowerCase());
}

/** Whether a name of a certificate is that of a host (RFC 6125, 6.4.3). */
export function isHost(name: string, host: string): boolean {
  if (!name.startsWith("*.")) return name === host;
  const dot = host.indexOf(".");
  return dot > 0 && host.slice(dot) === name.slice(1);
}
