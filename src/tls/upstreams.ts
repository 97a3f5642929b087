/** TLS with upstreams, by the files that the table names. */
import type { Endpoint } from "../endpoint.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../log.ts";
import { type KeyPath, Problems } from "../table/problem.ts";
import type { ConnectService, TcpmuxService } from "../table/service.ts";
import {
  upstreamTlsPath,
  type UpstreamTlsSettings,
} from "../table/steps/upstream_tls.ts";
import type { Table } from "../table/table.ts";
import type { TlsDemands } from "../transport/net/tls/demands.ts";
import type { Conn } from "../transport/transport.ts";
import { type HandshakeTime, secureAsClient } from "./client.ts";
import { faultOfAuthorities, TlsFolder } from "./files.ts";

/** Milliseconds after which files are looked at again before they are used. */
const LOOK = 5000;

/** What stood in the files of a service when they were right last. */
interface Material {
  demands: TlsDemands;
  /** Of the files that were looked at last, right or not. */
  state: string;
  /** When they were, by `performance.now()`. */
  looked: number;
}

/**
 * What the services of a table demand of their servers by TLS. Changed files
 * are read when a connection wants them, so that nothing has to be watched.
 */
export class UpstreamsInForce {
  readonly #folder: TlsFolder;
  readonly #log: Log;
  readonly #materials = new Map<UpstreamTlsSettings, Material>();

  private constructor(folder: TlsFolder, log: Log) {
    this.#folder = folder;
    this.#log = log;
  }

  /**
   * @param file the table's, where paths begin, and for errors
   * @throws {TableError} that names each file that is missing or does not fit
   */
  static async of(
    { services, listeners, located }: Table,
    getEnv: (name: string) => string | undefined,
    log: Log,
    file?: string,
  ): Promise<UpstreamsInForce> {
    const folder = new TlsFolder(file, getEnv("CREDENTIALS_DIRECTORY"));
    const all = new UpstreamsInForce(folder, log);
    const problems = new Problems(file, located);
    for (const service of services) {
      if (!service.enabled || !("tls" in service)) continue;
      const { tls } = service;
      if (tls === undefined) continue;
      const state = await folder.stateOfFiles(filesOf(tls));
      const path = upstreamTlsPath(service, listeners);
      const demands = await all.#read(tls, path, problems);
      const looked = performance.now();
      all.#materials.set(tls, { demands, state, looked });
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
    const material = this.#materials.get(service.tls!)!;
    if (performance.now() > material.looked + LOOK) {
      await this.#look(service, material);
    }
    const alpn = service.kind === "tcpmux" ? ["tcpmux"] : [];
    const wanted = { endpoint, demands: material.demands, alpn };
    return await secureAsClient(conn, wanted, time);
  }

  async #look({ name, tls }: ConnectService | TcpmuxService, of: Material) {
    of.looked = performance.now();
    const state = await this.#folder.stateOfFiles(filesOf(tls!));
    if (state === of.state) return;
    of.state = state; // what is wrong is said once
    const problems = new Problems();
    try {
      const demands = await this.#read(tls!, ["tls"], problems);
      problems.throwIfAny();
      of.demands = demands;
      this.#log("info", "the files of tls have changed, and are in use", {
        service: name,
      });
    } catch (error) {
      this.#log("error", "the files of tls have changed and are not used", {
        service: name,
        reason: messageOf(error),
      });
    }
  }

  /** The same with what stands in the files in place of their names. */
  async #read(
    tls: UpstreamTlsSettings,
    at: KeyPath,
    problems: Problems,
  ): Promise<TlsDemands> {
    const folder = this.#folder;
    const { ca: caFile, cert, key } = tls;
    const ca = caFile && await folder.text(caFile, [...at, "ca"], problems);
    const wrong = ca === undefined
      ? undefined
      : faultOfAuthorities(ca, caFile!);
    if (wrong !== undefined) problems.add([...at, "ca"], wrong);
    const pair = cert !== undefined && key !== undefined
      ? await folder.pair({ cert, key }, at, problems)
      : undefined;
    const names = { ca: caFile?.includes("-----BEGIN ") ? undefined : caFile };
    return { ...tls, ca, cert: pair?.cert, key: pair?.key, names };
  }
}

function filesOf({ ca, cert, key }: UpstreamTlsSettings): string[] {
  return [ca, cert, key].filter((name) => name !== undefined);
}
