/** Whether the servers that a table leads to answer. */
import { dial } from "../../dial.ts";
import type { Endpoint } from "../../endpoint.ts";
import { messageOf, TcpmuxError } from "../../errors.ts";
import { ownHeader } from "../../handshake/proxy_protocol.ts";
import { firstBytes } from "../../services/connect.ts";
import type { UpstreamTls } from "../../services/service.ts";
import { type KeyPath, type Problem, Problems } from "../../table/problem.ts";
import type {
  ConnectService,
  Service,
  TcpmuxService,
} from "../../table/service.ts";
import { type Table, upstreamsOf } from "../../table/table.ts";
import { upstreamTlsOf } from "../../tls/load.ts";
import { getEnv } from "../../transport/permission.ts";
import type { Transport } from "../../transport/transport.ts";

/** How many are asked at a time. */
const AT_A_TIME = 32;

/** Milliseconds for a service whose `connect_timeout` is no limit. */
const LONGEST = 30_000;

interface Upstream {
  readonly service: ConnectService | TcpmuxService;
  readonly endpoint: Endpoint;
  readonly path: KeyPath;
}

/**
 * Connects to each upstream of the services that are offered, as a client's
 * session would, and closes the connection.
 *
 * @returns what is wrong with those that do not answer
 */
export async function askUpstreams(
  table: Table,
  transport: Transport,
  file: string,
): Promise<readonly Problem[]> {
  const found = new Problems(file, table.located);
  const tls = await upstreamTlsOf(table, getEnv, () => {}, file);
  const all = table.services.flatMap(offeredOf);
  const failures = new Map<Upstream, string>();
  const waiting = all.values();
  const ask = async () => {
    for (const upstream of waiting) {
      const why = await failureOf(upstream, transport, tls);
      if (why !== undefined) failures.set(upstream, why);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, ask));
  for (const upstream of all) { // in the order of the table
    const why = failures.get(upstream);
    if (why !== undefined) found.add(upstream.path, why);
  }
  return found.all;
}

function offeredOf(service: Service): Upstream[] {
  const { enabled, name, kind } = service;
  if (!enabled || kind !== "connect" && kind !== "tcpmux") return [];
  const path = ["services", name, kind];
  return upstreamsOf(service).map((endpoint, index, { length }) => ({
    service,
    endpoint,
    path: length === 1 ? path : [...path, index],
  }));
}

async function failureOf(
  { service, endpoint }: Upstream,
  transport: Transport,
  tls: UpstreamTls | undefined,
): Promise<string | undefined> {
  const timeout = service.connectTimeout || LONGEST;
  const begin = performance.now();
  try {
    const forTls = service.tls !== undefined;
    let conn = await dial(transport, endpoint, { timeout, forTls }).conn;
    const { proxyProtocol } = service;
    if (proxyProtocol !== undefined) {
      await conn.write(ownHeader(proxyProtocol, conn));
    }
    if (forTls) {
      const time = { timeout, begin, timers: transport.timers, hold() {} };
      conn = await tls!.secure(conn, service, endpoint, time);
    }
    const speaksFirst = service.kind === "connect" &&
      service.ready === "first-byte";
    if (speaksFirst) {
      const wait = { endpoint, timeout, begin };
      await firstBytes(conn, wait, transport.timers);
    }
    conn.close();
  } catch (error) {
    if (!(error instanceof TcpmuxError)) throw error;
    return messageOf(error);
  }
}
