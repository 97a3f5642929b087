import type { TlsFacts } from "../endpoint.ts";
import { messageOf } from "../errors.ts";
import type {
  ClientHello,
  SecureConn,
  TlsEnds,
} from "../handshake/tls_step.ts";
import type { Log } from "../log.ts";
import { type Refusal, refusal } from "../policy/refusal.ts";
import { Problems } from "../table/problem.ts";
import type { Table } from "../table/table.ts";
import type { TlsSettings } from "../table/steps/tls_settings.ts";
import { acceptTls, type TlsOptions } from "../transport/net/tls/accept.ts";
import type { Conn } from "../transport/transport.ts";
import { type CertificateEnd, warnOfExpiry } from "./expiry.ts";
import {
  isHost,
  type ServerCertificate,
  TlsFolder,
  type TlsMaterial,
} from "./files.ts";

/** Milliseconds after which the files are looked at again. */
const LOOK = 5000;

/** Milliseconds after which certificates that end are warned of again. */
const DAY = 24 * 3600 * 1000;

/** The name of TCPMUX among the protocols of ALPN. */
const ALPN = "tcpmux";

const NO_ALPN = refusal(
  "tls_error",
  `the client does not ask for the protocol ${ALPN} (ALPN), which this server ` +
    "requires",
  `ALPN ${ALPN} required`,
);

/**
 * What `[server.tls]` says, and what stood in its files when they were right
 * last. A change of the files is seen by itself.
 */
export class TlsInForce implements TlsEnds {
  readonly #settings: TlsSettings;
  readonly #folder: TlsFolder;
  /** Milliseconds for a handshake. */
  readonly #limit: number;
  #material: TlsMaterial;
  /** Of its certificates. */
  readonly #options = new WeakMap<ServerCertificate, TlsOptions>();
  /** Of the files that were looked at last, right or not. */
  #state: string;
  #looking: ReturnType<typeof setInterval> | undefined;
  /** When it was warned of certificates that end. */
  #warned = 0;

  private constructor(
    settings: TlsSettings,
    limit: number,
    folder: TlsFolder,
    material: TlsMaterial,
    state: string,
  ) {
    this.#settings = settings;
    this.#limit = limit;
    this.#folder = folder;
    this.#material = material;
    this.#state = state;
  }

  /**
   * @param tls of the table
   * @param file the table's, where paths begin, and for errors
   * @throws {TableError} that names each file that is missing or does not fit
   */
  static async of(
    tls: TlsSettings,
    { located, server: { handshakeTimeout } }: Table,
    getEnv: (name: string) => string | undefined,
    file?: string,
  ): Promise<TlsInForce> {
    const folder = new TlsFolder(file, getEnv("CREDENTIALS_DIRECTORY"));
    const state = await folder.stateOf(tls);
    const problems = new Problems(file, located);
    const material = await folder.read(tls, problems);
    problems.throwIfAny();
    return new TlsInForce(tls, handshakeTimeout, folder, material, state);
  }

  /** Those in force, in the order of the table. */
  get certificates(): readonly CertificateEnd[] {
    return this.#material.certificates;
  }

  /** Warns of certificates that have ended, or are about to. */
  warn(log: Log): void {
    this.#warned = Date.now();
    warnOfExpiry(this.certificates, log);
  }

  /** Looks at the files from time to time, until `stop`. */
  watch(log: Log): void {
    this.warn(log);
    this.#looking = setInterval(() => this.#look(log), LOOK);
  }

  stop(): void {
    clearInterval(this.#looking);
  }

  async #look(log: Log): Promise<void> {
    if (Date.now() > this.#warned + DAY) this.warn(log);
    const state = await this.#folder.stateOf(this.#settings);
    if (state === this.#state) return;
    this.#state = state; // what is wrong is said once
    const problems = new Problems();
    try {
      const material = await this.#folder.read(this.#settings, problems);
      problems.throwIfAny();
      this.#material = material;
      log("info", "the files of [server.tls] have changed, and are in use");
      this.warn(log);
    } catch (error) {
      log("error", "the files of [server.tls] have changed and are not used", {
        reason: messageOf(error),
      });
    }
  }

  secure(client: Conn, hello: ClientHello): Promise<SecureConn> {
    const { certificates } = this.#material;
    const { sni } = hello;
    const own =
      certificates.find(({ hosts }) =>
        sni !== undefined && hosts.some((name) => isHost(name, sni))
      ) ?? certificates[0]!;
    let options = this.#options.get(own);
    if (options === undefined) {
      options = this.#optionsOf(own);
      this.#options.set(own, options);
    }
    return acceptTls(client, hello, options);
  }

  #optionsOf({ cert, key }: ServerCertificate): TlsOptions {
    const minVersion = `TLSv${this.#settings.minVersion}` as const;
    const limit = this.#limit;
    return { cert, key, minVersion, alpn: [ALPN], limit, free: [] };
  }

  refusalFor({ alpn }: TlsFacts): Refusal | undefined {
    return this.#settings.requireAlpn && alpn !== ALPN ? NO_ALPN : undefined;
  }
}
