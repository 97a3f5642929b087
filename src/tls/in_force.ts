import { codeOf, TcpmuxError } from "../errors.ts";
import type { ClientHello } from "../handshake/client_hello.ts";
import type {
  SecureConn,
  SecuredClient,
  ServerTls,
} from "../handshake/tls_step.ts";
import { type Log, visible } from "../log.ts";
import { isHost } from "../policy/certificates.ts";
import { refusal } from "../policy/refusal.ts";
import { Problems } from "../table/problem.ts";
import type { Table } from "../table/table.ts";
import type { TlsSettings } from "../table/steps/server_tls.ts";
import {
  acceptTls,
  type ShownCertificate,
  type TlsOptions,
} from "../transport/net/tls/accept.ts";
import type { GetEnv } from "../transport/permission.ts";
import type { Conn } from "../transport/transport.ts";
import { ALPN } from "../wire.ts";
import type { ClientTrust, ClientVerdict } from "./client_trust.ts";
import {
  type CertificateEnd,
  filesOf,
  type ServerCertificate,
  TlsFolder,
  type TlsMaterial,
} from "./files.ts";
import { nameBySni } from "./sni_names.ts";
import { LOOK, WatchedFiles } from "./watched_files.ts";

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
export class TlsInForce implements ServerTls {
  readonly #settings: TlsSettings;
  readonly #byName: Table["byName"];
  /** Milliseconds for a handshake. */
  readonly #limit: number;
  readonly #files: WatchedFiles<TlsMaterial>;
  /** Of its certificates, by the protocols that clients may ask for. */
  readonly #options = new WeakMap<ServerCertificate, Map<string, TlsOptions>>();
  /**
   * Holds the one of the newest table. All since the start share this object, and
   * a reload puts the next one into it.
   */
  #newest: { tls: TlsInForce } = { tls: this };
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
    files: WatchedFiles<TlsMaterial>,
  ) {
    this.#settings = settings;
    this.#byName = byName;
    this.#limit = limit;
    this.#files = files;
  }

  /**
   * @param tls of the table
   * @param file the table's, where paths begin, and for errors
   * @throws {TableError} that names each file that is missing or does not fit
   */
  static async of(
    tls: TlsSettings,
    { located, byName, server: { handshakeTimeout } }: Table,
    getEnv: GetEnv,
    file?: string,
  ): Promise<TlsInForce> {
    const folder = new TlsFolder(file, getEnv("CREDENTIALS_DIRECTORY"));
    const problems = new Problems(file, located);
    const files = await WatchedFiles.of(folder, {
      place: "[server.tls]",
      names: filesOf(tls),
      read: (problems) => folder.read(tls, problems),
    }, problems);
    problems.throwIfAny();
    return new TlsInForce(tls, byName, handshakeTimeout, files);
  }

  /** Those in force, in the order of the table. */
  get certificates(): readonly ServerCertificate[] {
    return this.#files.content.certificates;
  }

  get #clients(): ClientTrust | undefined {
    return this.#files.content.clients;
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

  /**
   * @param next that of the table which takes its place. Clients that were
   * accepted by the old table, and begin TLS now, are judged by its files too.
   */
  stop(next?: TlsInForce): void {
    clearInterval(this.#looking);
    if (next === undefined) return;
    next.#newest = this.#newest;
    this.#newest.tls = next;
  }

  async #look(log: Log): Promise<void> {
    this.#sayEnded(log);
    if (Date.now() > this.#warned + DAY) this.warn(log);
    if (await this.#files.look(log)) this.warn(log);
  }

  nameIn(hello: ClientHello): string | undefined {
    return nameBySni(hello, this.#settings.sniNames, this.#byName);
  }

  #sayEnded(log: Log): void {
    const ended = this.#clients?.lists?.ended(Date.now());
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
    // The table of the client may be an old one, whose files nobody looks at.
    const newest = this.#newest.tls;
    const { certificates } = newest.#files.content;
    const trusts = new Set(
      [newest, this].map((one) => one.#clients)
        .filter((one) => one !== undefined),
    );
    const { sni } = hello;
    const own =
      certificates.find(({ hosts }) =>
        sni !== undefined && hosts.some((name) => isHost(name, sni))
      ) ?? certificates[0]!;
    const alpn = name === undefined
      ? [ALPN]
      : this.#byName.get(name.toUpperCase())?.alpn ?? [];
    let verdict: ClientVerdict = {};
    let conn: SecureConn;
    try {
      conn = await acceptTls(
        client,
        hello,
        newest.#optionsOf(own, alpn),
        trusts.size === 0
          ? undefined
          : (shown) => (verdict = judgedByAll(trusts, shown)).certificate,
      );
    } catch (error) {
      throw foreignProtocols(hello, alpn, error) ?? error;
    }
    const lacksAlpn = name === undefined && this.#settings.requireAlpn &&
      conn.tls.alpn !== ALPN;
    const refusal = verdict.refusal ?? (lacksAlpn ? NO_ALPN : undefined);
    return { kind: "secured", conn, refusal };
  }

  #optionsOf(own: ServerCertificate, alpn: readonly string[]): TlsOptions {
    const all = this.#options.get(own) ?? new Map<string, TlsOptions>();
    const key = JSON.stringify(alpn); // a name may have a comma
    const found = all.get(key);
    if (found !== undefined) return found;
    const options: TlsOptions = {
      cert: own.cert,
      key: own.key,
      minVersion: `TLSv${this.#settings.minVersion}`,
      alpn,
      clientCa: this.#clients?.authorities.pem,
      limit: this.#limit,
      free: [],
    };
    this.#options.set(own, all.set(key, options));
    return options;
  }
}

/** From so many milliseconds before its end on, a certificate is warned of. */
const NOTICE = 14 * DAY;

const ENDS = "clients that check it refuse the server then (put a new one in " +
  "its place: it is used by itself)";

/** Warns of certificates that have ended, or do so within two weeks. */
function warnOfExpiry(
  certificates: readonly CertificateEnd[],
  log: Log,
): void {
  for (const { file: certificate, until } of certificates) {
    const left = until.getTime() - Date.now();
    if (left > NOTICE) continue;
    const what = left > 0 ? "ends soon" : "has ended";
    const facts = { certificate, until: until.toISOString(), reason: ENDS };
    log("warn", `a certificate of [server.tls] ${what}`, facts);
  }
}

/** Nobody is let in whom one of them refuses. */
function judgedByAll(
  trusts: ReadonlySet<ClientTrust>,
  shown: ShownCertificate | undefined,
): ClientVerdict {
  let verdict: ClientVerdict = {};
  for (const one of trusts) {
    verdict = one.judge(shown);
    if (verdict.refusal !== undefined) break;
  }
  return verdict;
}

/** Of a long list of protocols, so many are said. */
const MOST_PROTOCOLS = 4;

/**
 * The error for a client that asks for none of our protocols (ALPN), which each
 * runtime says in words of its own; undefined for any other client.
 */
function foreignProtocols(
  { alpn: asked, sni = "no name" }: ClientHello,
  spoken: readonly string[],
  cause: unknown,
): TcpmuxError | undefined {
  const isForeign = asked.length > 0 && spoken.length > 0 &&
    !asked.some((name) => spoken.includes(name));
  if (codeOf(cause) !== "protocol" || !isForeign) return undefined;
  const names = asked.slice(0, MOST_PROTOCOLS).map(visible).join(", ");
  return new TcpmuxError(
    "protocol",
    `the client (SNI: ${sni}) asks for the protocols ${names} (ALPN), and not ` +
      `for ${spoken.join(" or ")}`,
    { cause },
  );
}
