/**
 * The one place that runs openssl(1). Keys come from it by a pipe or lie in the
 * CA's own folders; its configuration is the one below, whatever the machine's
 * says, and all paths are relative, so that none can be read as an option.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TcpmuxError } from "../../errors.ts";
import { DEFAULT_PATH, findProgram } from "../../services/exec/find_program.ts";
import {
  runTool,
  type ToolOptions,
  type ToolRun,
} from "../../services/exec/run_tool.ts";
import { getEnv } from "../../transport/permission.ts";
import type { Transport } from "../../transport/transport.ts";
import { INDEX } from "./folder.ts";

const CONFIG = "openssl.cnf";
const REQUEST = "request.pem";
const CRL_NUMBER = "crlnumber";
/** Where openssl(1) puts a copy of each certificate. */
const COPIES = "copies";

const INSTALL = "install the package openssl";

/** What a certificate is to be. */
export interface CertificateWish {
  /** Its common name: of letters, digits, `.`, `-`, `_`, `@` and blanks. */
  readonly name: string;
  readonly from: Date;
  readonly until: Date;
  /** Lines of its extensions, as x509v3_config(5) has them. */
  readonly extensions: readonly string[];
}

/** Runs openssl(1), as `openSslOf` has found it. */
export type OpenSslRun = (
  words: readonly string[],
  options: Pick<ToolOptions, "cwd" | "env">,
) => Promise<ToolRun>;

/**
 * Finds openssl(1) in the PATH.
 *
 * @throws {TcpmuxError} where it is missing, or lacks what is needed
 */
export async function openSslOf(transport: Transport): Promise<OpenSslRun> {
  const program = programOf(getEnv("PATH") ?? DEFAULT_PATH);
  const run: OpenSslRun = (words, options) =>
    runTool([program, ...words], transport, options);
  const { output } = await run(["version"], {
    env: { OPENSSL_CONF: "/dev/null" },
  });
  if (/^OpenSSL ([3-9]|\d\d)\./.test(output)) return run;
  throw new TcpmuxError(
    "unsupported",
    `${program} is ${output.trim() || "none"}; needed: OpenSSL 3.0 or later ` +
      `(${INSTALL}, or put the folder of another one first in PATH)`,
  );
}

/** openssl(1) at work in a folder of its own, beside the CA's files. */
export class OpenSsl {
  readonly #run: OpenSslRun;
  readonly #work: string;
  readonly #ca: string;

  /**
   * @param work the working folder, which is in the CA's
   * @param ca where the files of the CA are, seen from there
   */
  constructor(run: OpenSslRun, work: string, ca = "..") {
    this.#run = run;
    this.#work = work;
    this.#ca = ca;
  }

  /** A new key, on the curve P-256. */
  async key(): Promise<string> {
    const curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    return whole(await this.#openSsl(["genpkey", ...curve]), "PRIVATE KEY");
  }

  /**
   * A certificate that signs itself.
   *
   * @param key the file of its key, seen from the working folder
   */
  async root(wish: CertificateWish, key: string): Promise<string> {
    this.#write(INDEX, "");
    return await this.#sign(wish, key, ["-selfsign"]);
  }

  /**
   * A certificate that the CA signs.
   *
   * @param index the text of the list of all that it has signed
   * @returns the certificate, and the list with it
   */
  async leaf(
    wish: CertificateWish,
    key: string,
    index: string,
  ): Promise<{ certificate: string; index: string }> {
    this.#write(INDEX, index);
    const certificate = await this.#sign(wish, key, []);
    return { certificate, index: this.#read(INDEX) };
  }

  /**
   * The list, with a certificate marked as revoked.
   *
   * @param file the certificate's
   */
  async revoke(file: string, reason: string, index: string): Promise<string> {
    this.#write(INDEX, index);
    const words = ["ca", "-revoke", file, "-crl_reason", reason, "-batch"];
    await this.#openSsl(words);
    return this.#read(INDEX);
  }

  /** The list of revoked certificates for servers, of a list of all. */
  async crl(from: Date, until: Date, index: string): Promise<string> {
    this.#write(INDEX, index);
    // Greater than any before, as the time is.
    const number = Date.now().toString(16);
    this.#write(CRL_NUMBER, `${number.padStart(12, "0")}\n`);
    const times = ["-crl_lastupdate", at(from), "-crl_nextupdate", at(until)];
    const crl = await this.#openSsl(["ca", "-gencrl", "-batch", ...times]);
    return whole(crl, "X509 CRL");
  }

  async #sign(
    { name, from, until, extensions }: CertificateWish,
    key: string,
    options: readonly string[],
  ): Promise<string> {
    const request = ["req", "-new", "-key", key, "-subj", `/CN=${name}`];
    this.#write(REQUEST, await this.#openSsl(request));
    mkdirSync(join(this.#work, COPIES), { recursive: true });
    const certificate = await this.#openSsl([
      ...["ca", "-batch", "-notext", "-in", REQUEST],
      ...["-startdate", at(from), "-enddate", at(until)],
      ...options,
    ], extensions);
    return whole(certificate, "CERTIFICATE");
  }

  /** @returns what it prints */
  async #openSsl(
    words: readonly string[],
    extensions: readonly string[] = [],
  ): Promise<string> {
    this.#write(CONFIG, configuration(this.#ca, extensions));
    const { output, errors, exit } = await this.#run(words, {
      cwd: this.#work,
      env: { OPENSSL_CONF: CONFIG },
    });
    if (exit.code === 0) return output;
    const how = exit.code === null ? exit.signal : `exit ${exit.code}`;
    const last = errors.trimEnd().split("\n").slice(-3).join(" / ");
    throw new TcpmuxError(
      "failed",
      `openssl ${words[0]} has failed (${how}): ${last}`,
    );
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.#work, name), text);
  }

  #read(name: string): string {
    return readFileSync(join(this.#work, name), "utf8");
  }
}

function programOf(path: string): string {
  try {
    return findProgram("openssl", path);
  } catch (error) {
    throw new TcpmuxError(
      "unsupported",
      `there is no openssl(1) in ${path} (${INSTALL})`,
      { cause: error },
    );
  }
}

/** All that openssl(1) is told besides its options. */
function configuration(ca: string, extensions: readonly string[]): string {
  return `[ca]
default_ca = authority
[authority]
certificate = ${ca}/ca.crt
private_key = ${ca}/ca.key
database = ${INDEX}
rand_serial = yes
new_certs_dir = ${COPIES}
crlnumber = ${CRL_NUMBER}
crl_extensions = list
default_md = sha256
unique_subject = no
policy = policy
x509_extensions = extensions
[policy]
commonName = supplied
[req]
distinguished_name = nothing
string_mask = utf8only
[nothing]
[list]
authorityKeyIdentifier = keyid:always
[extensions]
${extensions.map((line) => `${line}\n`).join("")}`;
}

/** As openssl(1) takes a time: `20261126180000Z`. */
function at(time: Date): string {
  return `${time.toISOString().replaceAll(/[-:T]|\..*/g, "")}Z`;
}

/** @throws {TcpmuxError} where it is cut short, or something else */
function whole(pem: string, label: string): string {
  const isWhole = pem.startsWith(`-----BEGIN ${label}-----\n`) &&
    pem.endsWith(`-----END ${label}-----\n`);
  if (isWhole) return pem;
  throw new TcpmuxError("failed", `openssl has printed no whole ${label}`);
}
