/** A small certificate authority: what it makes, renews and revokes. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { TcpmuxError } from "../../errors.ts";
import {
  hexadecimal,
  isSame,
  type Issued,
  newestOf,
  type OwnCertificate,
  readIssued,
  readOwnCertificate,
} from "./certificates.ts";
import { type CaFolder, INDEX, MADE, type Stage } from "./folder.ts";
import { checkName, encodeAltNames, namesOfServer } from "./names.ts";
import { OpenSsl, type OpenSslRun } from "./openssl.ts";

const DAY = 86_400_000;
/** A clock that is behind by so much takes what was made just now. */
const SKEW = 3_600_000;

const DAYS = { ca: 3650, leaf: 365 };

const CA_KEY = "ca.key";
const CA_CERTIFICATE = "ca.crt";
const CRL = "crl.pem";

/** What `issue` is asked for. */
export interface IssueWish {
  readonly isServer: boolean;
  /** As `--san` has them. */
  readonly altNames: readonly string[];
  readonly days?: number | undefined;
}

/** A certificate of the list, with what it says. */
export interface ListedCertificate extends OwnCertificate {
  readonly revoked: Issued["revoked"];
  /** Whether there is a newer one of the same name. */
  readonly isRenewed: boolean;
}

/** The CA whose files are in a folder. */
export class Authority {
  readonly #folder: CaFolder;

  constructor(folder: CaFolder) {
    this.#folder = folder;
  }

  /** Makes the CA itself. */
  async init(run: OpenSslRun, days = DAYS.ca): Promise<OwnCertificate> {
    this.#folder.make();
    return await this.#folder.change(async (stage) => {
      for (const name of [CA_KEY, CA_CERTIFICATE, CRL, INDEX]) {
        if (!this.#folder.has(name)) continue;
        throw refused(
          `${this.#folder.at(name)} is there already (name another folder by ` +
            "--dir)",
        );
      }
      const openSsl = new OpenSsl(run, stage.work, MADE);
      stage.write(CA_KEY, await openSsl.key());
      const pem = await openSsl.root({
        // Who trusts two CAs tells them apart by their names.
        name: `tcpmux CA ${randomBytes(4).toString("hex")}`,
        ...lifetime(days),
        extensions: [
          "basicConstraints = critical, CA:TRUE, pathlen:0",
          "keyUsage = critical, keyCertSign, cRLSign",
          "subjectKeyIdentifier = hash",
        ],
      }, join(MADE, CA_KEY));
      stage.write(CA_CERTIFICATE, pem);
      const ca = readOwnCertificate(pem, CA_CERTIFICATE);
      await this.#write(stage, openSsl, ca, "");
      return ca;
    });
  }

  /** Makes a key and a certificate for a name that has none. */
  async issue(
    run: OpenSslRun,
    name: string,
    wish: IssueWish,
  ): Promise<OwnCertificate> {
    checkName(name);
    const altNames = wish.isServer && wish.altNames.length === 0
      ? namesOfServer(name)
      : wish.altNames;
    const altNamesDer = altNames.length === 0
      ? undefined
      : encodeAltNames(altNames);
    return await this.#change((stage, ca) => {
      const issued = this.#issued();
      const found = newestOf(issued, name);
      if (found !== undefined && found.revoked === undefined) {
        throw refused(
          `${found.name} has a certificate already (tcpmux cert renew ` +
            `${found.name} makes a new one; for other names, revoke it first)`,
        );
      }
      for (const file of [`${name}.key`, `${name}.crt`]) {
        if (found !== undefined || !this.#folder.has(file)) continue;
        throw refused(
          `${this.#folder.at(file)} is there already, and none of this CA's ` +
            "(move it away)",
        );
      }
      const kind = wish.isServer ? "server" : "client";
      return this.#sign(run, stage, ca, { ...wish, name, kind, altNamesDer });
    });
  }

  /** Makes a new key and a new certificate that says the same as the newest. */
  async renew(
    run: OpenSslRun,
    name: string,
    days: number | undefined,
  ): Promise<OwnCertificate> {
    checkName(name);
    return await this.#change((stage, ca) => {
      const found = this.#newest(name);
      const old = this.#certificate(found.serial);
      return this.#sign(run, stage, ca, { ...old, days });
    });
  }

  /**
   * Revokes all certificates of a name: also those that were renewed.
   *
   * @returns how many
   */
  async revoke(
    run: OpenSslRun,
    name: string,
    reason: string,
  ): Promise<number> {
    checkName(name);
    return await this.#change(async (stage, ca) => {
      this.#newest(name); // which throws where there is none
      const openSsl = new OpenSsl(run, stage.work);
      const valid = this.#issued().filter((one) =>
        isSame(one.name, name) && one.revoked === undefined
      );
      let index = this.#folder.read(INDEX);
      for (const { serial } of valid) {
        const file = join("..", fileOf(serial));
        index = await openSsl.revoke(file, reason, index);
      }
      await this.#write(stage, openSsl, ca, index);
      return valid.length;
    });
  }

  /** The CA itself, and all that it has signed, the oldest first. */
  async list(): Promise<
    { ca: OwnCertificate; all: readonly ListedCertificate[] }
  > {
    await this.#folder.finish();
    const ca = this.#ca();
    const issued = this.#issued();
    const all = issued.map((one) => ({
      ...this.#certificate(one.serial),
      revoked: one.revoked,
      isRenewed: newestOf(issued, one.name) !== one,
    }));
    return { ca, all };
  }

  /** Changes the files of a CA that is there. */
  async #change<T>(
    make: (stage: Stage, ca: OwnCertificate) => Promise<T>,
  ): Promise<T> {
    await this.#folder.finish();
    const ca = this.#ca();
    return await this.#folder.change((stage) => make(stage, ca));
  }

  async #sign(
    run: OpenSslRun,
    stage: Stage,
    ca: OwnCertificate,
    { name, kind, altNamesDer, days = DAYS.leaf }:
      & Pick<OwnCertificate, "name" | "kind" | "altNamesDer">
      & Pick<IssueWish, "days">,
  ): Promise<OwnCertificate> {
    if (ca.until.getTime() <= Date.now()) {
      throw refused(
        `the CA in ${this.#folder.path} has ended (make another one: tcpmux ` +
          "cert init --dir FOLDER)",
      );
    }
    const openSsl = new OpenSsl(run, stage.work);
    const [key, file] = [`${name}.key`, `${name}.crt`];
    stage.write(key, await openSsl.key());
    const { certificate, index } = await openSsl.leaf(
      {
        name,
        ...lifetime(days, ca.until),
        extensions: [
          "basicConstraints = critical, CA:FALSE",
          "keyUsage = critical, digitalSignature",
          `extendedKeyUsage = ${kind}Auth`,
          "subjectKeyIdentifier = hash",
          "authorityKeyIdentifier = keyid:always",
          ...altNamesDer === undefined
            ? []
            : [`subjectAltName = DER:${hexadecimal(altNamesDer)}`],
        ],
      },
      join(MADE, key),
      this.#folder.read(INDEX),
    );
    stage.write(file, certificate);
    const made = readOwnCertificate(certificate, file);
    stage.write(fileOf(made.serial), certificate);
    if (newestOf(readIssued(index, INDEX), name)?.serial !== made.serial) {
      throw new TcpmuxError(
        "failed",
        "openssl has not put the certificate on its list (is the disk full?)",
      );
    }
    await this.#write(stage, openSsl, ca, index);
    return made;
  }

  /** The list, and the list of what is revoked, which lasts as the CA does. */
  async #write(
    stage: Stage,
    openSsl: OpenSsl,
    ca: OwnCertificate,
    index: string,
  ): Promise<void> {
    const { from } = lifetime(0);
    stage.write(CRL, await openSsl.crl(from, ca.until, index));
    stage.write(INDEX, index);
  }

  /** @throws {TcpmuxError} where there is none */
  #ca(): OwnCertificate {
    const folder = this.#folder;
    if (!folder.has(CA_CERTIFICATE)) {
      throw refused(
        `there is no CA in ${folder.path} (make one: tcpmux cert init --dir ` +
          `${folder.path})`,
      );
    }
    return readOwnCertificate(
      folder.read(CA_CERTIFICATE),
      folder.at(CA_CERTIFICATE),
    );
  }

  #issued(): Issued[] {
    return readIssued(this.#folder.read(INDEX), this.#folder.at(INDEX));
  }

  /** @throws {TcpmuxError} where the name has none that could be used */
  #newest(name: string): Issued {
    const found = newestOf(this.#issued(), name);
    if (found?.revoked === undefined && found !== undefined) return found;
    const why = found === undefined ? "has no certificate" : "was revoked";
    throw refused(
      `${name} ${why} (tcpmux cert issue ${name} makes one, and tcpmux cert ` +
        "list shows all)",
    );
  }

  #certificate(serial: string): OwnCertificate {
    const file = fileOf(serial);
    return readOwnCertificate(this.#folder.read(file), this.#folder.at(file));
  }
}

/** Where a certificate is kept when its name has got a newer one. */
function fileOf(serial: string): string {
  return join("certs", `${serial}.pem`);
}

function lifetime(days: number, end?: Date): { from: Date; until: Date } {
  const now = Date.now();
  const until = now + days * DAY;
  return {
    from: new Date(now - SKEW),
    until: new Date(Math.min(until, end?.getTime() ?? until)),
  };
}

function refused(message: string): TcpmuxError {
  return new TcpmuxError("refused", message);
}
