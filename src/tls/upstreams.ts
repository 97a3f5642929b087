/** TLS with upstreams, by the files that the table names. */
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import type { Log } from "../log.ts";
import { type KeyPath, Problems } from "../table/problem.ts";
import type { ConnectService, TcpmuxService } from "../table/service.ts";
import {
  upstreamTlsPath,
  type UpstreamTlsSettings,
} from "../table/steps/upstream_tls.ts";
import type { Table } from "../table/table.ts";
import { timeLeft } from "../timers.ts";
import { cancelled, timedOut } from "../transport/attempt.ts";
import type {
  HandshakeTime,
  TlsDemands,
} from "../transport/net/tls/demands.ts";
import type { GetEnv } from "../transport/permission.ts";
import type { Conn } from "../transport/transport.ts";
import { ALPN } from "../wire.ts";
import { secureAsClient } from "./client.ts";
import { faultOfAuthorities, isPem, TlsFolder } from "./files.ts";
import { WatchedFiles } from "./watched_files.ts";

/**
 * What the services of a table demand of their servers by TLS. Changed files
 * are read when a connection wants them, so that nothing has to be watched.
 */
export class UpstreamsInForce {
  readonly #folder: TlsFolder;
  readonly #log: Log;
  readonly #demands = new Map<UpstreamTlsSettings, WatchedFiles<TlsDemands>>();

  private constructor(folder: TlsFolder, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  /**
   * @param file the table's, where paths begin, and for errors
   * @param unread where files that cannot be read are no errors
   * @throws {TableError} that names each file that is missing or does not fit
   */
  static async of(
    { services, listeners, located }: Table,
    getEnv: GetEnv,
    log: Log,
    file?: string,
    unread?: Problems,
  ): Promise<UpstreamsInForce> {
    const credentials = getEnv("CREDENTIALS_DIRECTORY");
    const folder = new TlsFolder(file, credentials, unread);
    const all = new UpstreamsInForce(folder, log);
    const problems = new Problems(file, located);
    for (const service of services) {
      if (!service.enabled || !("tls" in service)) continue;
      const { tls } = service;
      if (tls === undefined) continue;
      const at = upstreamTlsPath(service, listeners);
      const files = {
        place: "tls",
        facts: { service: service.name },
        names: [tls.ca, tls.cert, tls.key].filter((name) => name !== undefined),
        read: (problems: Problems) => all.#read(tls, at, problems),
      };
      all.#demands.set(tls, await WatchedFiles.of(folder, files, problems));
    }
    problems.throwIfAny();
    return all;
  }

  /** Begins TLS with a server of that service; rejects as `secureAsClient`. */
  async secure(
    conn: Conn,
    service: ConnectService | TcpmuxService,
    endpoint: Endpoint,
    time: HandshakeTime,
  ): Promise<Conn> {
    const files = this.#demands.get(service.tls!)!;
    const looking = files.lookInTime(this.#log);
    try {
      if (looking !== undefined) await inTime(looking, endpoint, time);
    } catch (error) {
      conn.abort();
      throw error;
    }
    const alpn = service.kind === "tcpmux" ? [ALPN] : [];
    const wanted = { endpoint, demands: files.content, alpn };
    return await secureAsClient(conn, wanted, time);
  }

  /** The same with what stands in the files in place of their names. */
  async #read(
    tls: UpstreamTlsSettings,
    at: KeyPath,
    problems: Problems,
  ): Promise<TlsDemands> {
    const folder = this.#folder;
    const { ca: caFile, cert, key } = tls;
    const ca = caFile === undefined
      ? undefined
      : await folder.text(caFile, [...at, "ca"], problems);
    const wrong = ca === undefined
      ? undefined
      : faultOfAuthorities(ca, caFile!);
    if (wrong !== undefined) problems.add([...at, "ca"], wrong);
    const pair = cert !== undefined && key !== undefined
      ? await folder.pair({ cert, key }, at, problems)
      : undefined;
    const names = { ca: caFile && !isPem(caFile) ? caFile : undefined };
    return { ...tls, ca, cert: pair?.cert, key: pair?.key, names };
  }
}

/** Waits for files to be looked at, which a file system that hangs holds up. */
function inTime(
  looking: Promise<unknown>,
  endpoint: Endpoint,
  { timeout, begin, timers, hold }: HandshakeTime,
): Promise<unknown> {
  const what = `no TLS with ${
    formatEndpoint(endpoint)
  }: its files are not read`;
  return new Promise((resolve, reject) => {
    hold({ abort: () => reject(cancelled(what)) });
    const expire = () => reject(timedOut(what, timeout));
    const timer = timers.after(timeLeft(timeout, begin), expire);
    looking.then(resolve, reject).finally(() => timer?.cancel());
  });
}
