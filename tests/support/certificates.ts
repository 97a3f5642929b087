/** Certificates for tests, made by openssl(1). */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "./run.ts";

/** A certificate and its key, as files. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  /** As openssl writes it. */
  readonly subject?: string;
  /** Such as `DNS:localhost`; a list holds each name as it is, as `DNS:a,b`. */
  readonly names?: string | readonly string[];
  /** What it is for, such as `clientAuth`; it makes a certificate version 3. */
  readonly usage?: string;
  /** Days from now on; with a negative number it has expired. */
  readonly days?: number;
  /** Whether it is valid only from tomorrow on. */
  readonly isEarly?: boolean;
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** An authority of its own, in a folder of the test's. */
export class Authority {
  readonly folder: string;
  readonly name: string;

  private constructor(folder: string, name: string) {
    this.folder = folder;
    this.name = name;
  }

  get cert(): string {
    return join(this.folder, `${this.name}.crt`);
  }

  get #key(): string {
    return join(this.folder, `${this.name}.key`);
  }

  get crl(): string {
    return join(this.folder, `${this.name}.crl`);
  }

  /** @param parent who signs its certificate; by default itself */
  static async make(
    folder: string,
    name = "ca",
    parent?: Authority,
  ): Promise<Authority> {
    const one = new Authority(folder, name);
    const config = join(folder, `${name}.cnf`);
    writeFileSync(
      config,
      `[req]
distinguished_name = none
x509_extensions = ca
[none]
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[issuing]
database = ${folder}/${name}.index
new_certs_dir = ${folder}
default_md = sha256
default_crl_days = 30
crlnumber = ${folder}/${name}.crlnumber
rand_serial = yes
policy = any
unique_subject = no
copy_extensions = copy
[any]
organizationName = optional
organizationalUnitName = optional
commonName = optional
`,
    );
    writeFileSync(join(folder, `${name}.index`), "");
    writeFileSync(join(folder, `${name}.crlnumber`), "01\n");
    await mustRun([
      ...["openssl", "req", "-x509", ...KEY, "-config", config],
      ...["-keyout", one.#key, "-out", one.cert],
      ...["-days", "3650", "-subj", `/CN=${name}`],
      ...(parent === undefined ? [] : [
        ...["-CA", parent.cert, "-CAkey", parent.#key],
      ]),
    ]);
    return one;
  }

  async issue(name: string, options: IssueOptions = {}): Promise<Issued> {
    const { subject = `/CN=${name}`, names, days = 30, isEarly } = options;
    const { usage } = options;
    const [cert, key, request] = ["crt", "key", "csr"]
      .map((end) => join(this.folder, `${name}.${end}`)) as [
        string,
        string,
        string,
      ];
    await mustRun([
      ...["openssl", "req", "-new", ...KEY, "-config", this.#config],
      ...["-keyout", key, "-out", request, "-subj", subject, "-utf8"],
      ...(typeof names !== "string" ? [] : [
        ...["-addext", `subjectAltName=${names}`],
      ]),
      ...(usage === undefined ? [] : ["-addext", `extendedKeyUsage=${usage}`]),
    ]);
    const listed = join(this.folder, `${name}.ext`);
    if (Array.isArray(names)) {
      const lines = names.map((one, index) => one.replace(":", `.${index} = `));
      writeFileSync(
        listed,
        `[all]\nsubjectAltName = @names\n[names]\n${lines.join("\n")}\n`,
      );
    }
    const day = 86_400_000;
    const begin = Date.now() + (isEarly ? day : -60 * day);
    await mustRun([
      ...["openssl", "ca", "-batch", "-notext", "-config", this.#config],
      ...["-name", "issuing", "-cert", this.cert, "-keyfile", this.#key],
      ...["-in", request, "-out", cert, "-utf8"],
      ...["-startdate", stamp(begin), "-enddate"],
      stamp(Date.now() + days * day),
      ...(Array.isArray(names)
        ? ["-extfile", listed, "-extensions", "all"]
        : []),
    ]);
    return { cert, key };
  }

  /** Writes the list of what it has revoked. */
  revoke(...revoked: readonly Issued[]): Promise<string> {
    return this.revokeUntil("-crldays", "30", ...revoked);
  }

  /** @param until how openssl says when the list ends: a flag and its value */
  async revokeUntil(
    flag: "-crldays" | "-crlsec",
    until: string,
    ...revoked: readonly Issued[]
  ): Promise<string> {
    const ca = [
      ...["openssl", "ca", "-config", this.#config, "-name", "issuing"],
      ...["-cert", this.cert, "-keyfile", this.#key],
    ];
    for (const { cert } of revoked) await mustRun([...ca, "-revoke", cert]);
    await mustRun([...ca, "-gencrl", flag, until, "-out", this.crl]);
    return this.crl;
  }

  get #config(): string {
    return join(this.folder, `${this.name}.cnf`);
  }
}

/**
 * A certificate that has signed itself.
 *
 * @param names such as `DNS:localhost`
 */
export async function selfSigned(
  folder: string,
  name: string,
  names?: string,
) {
  const [cert, key] = [`${folder}/${name}.crt`, `${folder}/${name}.key`];
  await mustRun([
    ...["openssl", "req", "-x509", ...KEY, "-keyout", key, "-out", cert],
    ...["-days", "30", "-subj", `/CN=${name}`],
    ...(names === undefined ? [] : ["-addext", `subjectAltName=${names}`]),
  ]);
  return { cert, key };
}

/** YYMMDDHHMMSSZ */
function stamp(time: number): string {
  return new Date(time).toISOString().replace(/\D/g, "").slice(2, 14) + "Z";
}
