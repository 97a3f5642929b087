import type { Log } from "../log.ts";
import type { Problems } from "../table/problem.ts";
import type { Table } from "../table/table.ts";
import type { GetEnv } from "../transport/permission.ts";
import type { Transport } from "../transport/transport.ts";
import type { TlsInForce } from "./in_force.ts";
import type { UpstreamsInForce } from "./upstreams.ts";

/**
 * The TLS of a table; its code is loaded only where a table asks for it.
 *
 * @throws {TableError} as `TlsInForce.of` does
 */
export async function tlsOf(
  table: Table,
  getEnv: GetEnv,
  file?: string,
): Promise<TlsInForce | undefined> {
  const { tls } = table.server;
  if (tls === undefined) return undefined;
  const { TlsInForce } = await import("./in_force.ts");
  return await TlsInForce.of(tls, table, getEnv, file);
}

/**
 * The TLS of its services with their upstreams, in the same way.
 *
 * @param log is told of files that change
 * @param unread where files that cannot be read are no errors
 * @throws {TableError} as `UpstreamsInForce.of` does
 */
export async function upstreamTlsOf(
  table: Table,
  getEnv: GetEnv,
  log: Log,
  file?: string,
  unread?: Problems,
): Promise<UpstreamsInForce | undefined> {
  const isAsked = table.services.some((service) =>
    "tls" in service && service.tls !== undefined
  );
  if (!isAsked) return undefined;
  const { UpstreamsInForce } = await import("./upstreams.ts");
  return await UpstreamsInForce.of(table, getEnv, log, file, unread);
}

/**
 * Sees to it that no table comes into force by which clients show certificates
 * before the runtime was seen to refuse bad ones.
 *
 * @param last that of the table before, at a reload
 * @throws {TcpmuxError} as `proveRefusals` does
 */
export async function proveTls(
  { server, listeners }: Table,
  next: TlsInForce | undefined,
  last: TlsInForce | undefined,
  transport: Transport,
): Promise<void> {
  if (next === undefined) return;
  next.isProven = last?.isProven ?? false;
  const asks = server.tls?.clientCertificate !== "none" &&
    listeners.some(({ endpoint }) => endpoint?.tls);
  if (!asks || next.isProven) return;
  const { proveRefusals } = await import("./proof/prove.ts");
  await proveRefusals(transport);
  next.isProven = true;
}
