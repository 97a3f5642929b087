/** Reads the files that `[server.tls]` names. */
import type { Buffer } from "node:buffer";
import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { messageOf, TcpmuxError } from "../errors.ts";
import { dnsName } from "../policy/certificates.ts";
import type { KeyPath, Problems } from "../table/problem.ts";
import type {
  CertificateFiles,
  TlsSettings,
} from "../table/steps/server_tls.ts";
import { fromSystem } from "../transport/errno.ts";
import { nodeCrypto } from "../transport/net/builtins.ts";
import { mayResume } from "../transport/net/tls/accept.ts";
import { Authorities } from "./authorities.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { ClientTrust } from "./client_trust.ts";
import { certificatesIn } from "./der.ts";
import { RevocationLists } from "./revocation.ts";

/** A certificate, as far as its end goes. */
export interface CertificateEnd {
  /** Its file, as the table names it. */
  readonly file: string;
  readonly until: Date;
}

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

/** By the names of files, what changes whenever one of them does. */
export type FileStates = ReadonlyMap<string, string>;

/** All files that these settings name. */
export function filesOf({ certificates, clientCa, crl }: TlsSettings) {
  const pairs = certificates.flatMap(({ cert, key }) => [cert, key]);
  return [...pairs, clientCa, crl].filter((name) => name !== undefined);
}

/** Whether a program has given the content in place of a file's name. */
export const isPem = (name: string) => name.includes("-----BEGIN ");

/** What a file is called for people, who must not be shown a key. */
function shownName(name: string): string {
  return isPem(name) ? "the PEM that was given" : name;
}

/** Where the files of a table are. */
export class TlsFolder {
  readonly #folder: string;
  readonly #credentials: string | undefined;
  readonly #unread: Problems | undefined;

  /**
   * @param table the table's file; undefined for the working directory
   * @param credentials of systemd's, by `CREDENTIALS_DIRECTORY`
   * @param unread where files that cannot be read are told apart from those
   * that do not fit
   */
  constructor(
    table: string | undefined,
    credentials: string | undefined,
    unread?: Problems,
  ) {
    this.#unread = unread;
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

  /** Links are followed, as a volume of Kubernetes has them. */
  async statesOf(names: readonly string[]): Promise<FileStates> {
    const files = names.filter((name) => !isPem(name));
    const states = files.map(async (name) => {
      const found = await stat(await this.pathOf(name)).catch(() => undefined);
      // Deno has whole seconds of ctime; mtime alone can be set by anybody.
      const { dev, ino, size, ctimeMs, mtimeMs } = found ?? {};
      return [name, [dev, ino, size, ctimeMs, mtimeMs].join(":")] as const;
    });
    return new Map(await Promise.all(states));
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
      problems.add(at, `${shownName(name)} ${error.message}`);
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
    return {
      cert,
      key,
      hosts: hostsOf(own),
      file: shownName(files.cert),
      until,
    };
  }

  /** What stands in a file, or what a program has given in its place. */
  async text(
    name: string,
    at: KeyPath,
    problems: Problems,
  ): Promise<string | undefined> {
    if (isPem(name)) return name;
    const path = await this.pathOf(name);
    try {
      return await readFile(path, "utf8");
    } catch (error) {
      const cure =
        "the path begins where the table is, and the server's user " +
        "must be able to read the file";
      const why = `${messageOf(fromSystem(error, path))} (${cure})`;
      (this.#unread ?? problems).add(at, why);
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
  const [ofCert, ofKey] = [names.cert, names.key].map(shownName);
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
  if (all.length === 0) return `${shownName(name)} holds no certificate in PEM`;
  try {
    for (const der of all) readCertificate(der);
  } catch {
    return `${shownName(name)} holds a certificate that cannot be read`;
  }
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
    .map(({ value }) => dnsName(value))
    .filter((host) => host !== undefined);
}
