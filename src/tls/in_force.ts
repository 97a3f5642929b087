import { messageOf } from "../errors.ts";
import type {
  ClientHello,
  SecuredClient,
  TlsEnds,
} from "../handshake/tls_step.ts";
import type { Log } from "../log.ts";
import { refusal } from "../policy/refusal.ts";
import { Problems } from "../table/problem.ts";
import type { Table } from "../table/table.ts";
import type { TlsSettings } from "../table/steps/tls_settings.ts";
import { acceptTls, type TlsOptions } from "../transport/net/tls/accept.ts";
import type { Conn } from "../transport/transport.ts";
import type { ClientVerdict } from "./clients.ts";
import { warnOfExpiry } from "./expiry.ts";
import {
  isHost,
  type ServerCertificate,
  TlsFolder,
  type TlsMaterial,
} from "./files.ts";
import { ALPN, nameBySni } from "./sni_names.ts";

/** Milliseconds after which the files are looked at again. */
const LOOK = 5000;

/** Milliseconds after which certificates that end are warned of again. */
const DAY = 24 * 3600 * 1000;

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
  readonly #byName: Table["byName"];
  readonly #folder: TlsFolder;
  /** Milliseconds for a handshake. */
  readonly #limit: number;
  #material: TlsMaterial;
  /** Of its certificates, by the protocols that clients may ask for. */
  readonly #options = new WeakMap<ServerCertificate, Map<string, TlsOptions>>();
  /** Of the files that were looked at last, right or not. */
  #state: string;
  #looking: ReturnType<typeof setInterval> | undefined;
  /** Whether the runtime was seen to refuse bad certificates of clients. */
  isProven = false;
  /** What was said last of a list of revoked certificates that has ended. */
  #ended: string | undefined;
  /** When it was warned of certificates that end. */
  #warned = 0;

  private constructor(
    settings: TlsSettings,
    byName: Table["byName"],
    limit: number,
    folder: TlsFolder,
    material: TlsMaterial,
    state: string,
  ) {
    this.#settings = settings;
    this.#byName = byName;
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
    { located, byName, server: { handshakeTimeout } }: Table,
    getEnv: (name: string) => string | undefined,
    file?: string,
  ): Promise<TlsInForce> {
    const folder = new TlsFolder(file, getEnv("CREDENTIALS_DIRECTORY"));
    const state = await folder.stateOf(tls);
    const problems = new Problems(file, located);
    const material = await folder.read(tls, problems);
    problems.throwIfAny();
    return new TlsInForce(
      tls,
      byName,
      handshakeTimeout,
      folder,
      material,
      state,
    );
  }

  /** Those in force, in the order of the table. */
  get certificates(): readonly ServerCertificate[] {
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
    this.#sayEnded(log);
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

  nameIn(hello: ClientHello): string | undefined {
    return nameBySni(hello, this.#settings.sniNames, this.#byName);
  }

  #sayEnded(log: Log): void {
    const ended = this.#material.clients?.lists?.ended(Date.now());
    if (ended !== undefined && ended !== this.#ended) {
      log("error", "clients with certificates are refused", {
        reason: `crl of [server.tls] ${ended}`,
      });
    }
    this.#ended = ended;
  }

  async secure(
    client: Conn,
    hello: ClientHello,
    name?: string,
  ): Promise<SecuredClient> {
    const { certificates, clients } = this.#material;
    const { sni } = hello;
    const own =
      certificates.find(({ hosts }) =>
        sni !== undefined && hosts.some((name) => isHost(name, sni))
      ) ?? certificates[0]!;
    const alpn = name === undefined
      ? [ALPN]
      : this.#byName.get(name.toUpperCase())?.alpn ?? [];
    let verdict: ClientVerdict = {};
    const conn = await acceptTls(
      client,
      hello,
      this.#optionsOf(own, alpn),
      clients && ((shown) => (verdict = clients.judge(shown)).certificate),
    );
    const lacksAlpn = name === undefined && this.#settings.requireAlpn &&
      conn.tls.alpn !== ALPN;
    const refusal = verdict.refusal ?? (lacksAlpn ? NO_ALPN : undefined);
    return { kind: "secured", conn, refusal };
  }

  #optionsOf(own: ServerCertificate, alpn: readonly string[]): TlsOptions {
    const all = this.#options.get(own) ?? new Map<string, TlsOptions>();
    const found = all.get(String(alpn));
    if (found !== undefined) return found;
    const { cert, key } = own;
    const options: TlsOptions = {
      cert,
      key,
      minVersion: `TLSv${this.#settings.minVersion}`,
      alpn,
      clientCa: this.#material.clients?.authorities.pem,
      limit: this.#limit,
      free: [],
    };
    this.#options.set(own, all.set(String(alpn), options));
    return options;
  }
}
