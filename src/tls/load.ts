import type { Table } from "../table/table.ts";
import type { Transport } from "../transport/transport.ts";
import type { TlsInForce } from "./in_force.ts";

/**
 * The TLS of a table; its code is loaded only where a table asks for it.
 *
 * @throws {TableError} as `TlsInForce.of` does
 */
export async function tlsOf(
  table: Table,
  getEnv: (name: string) => string | undefined,
  file?: string,
): Promise<TlsInForce | undefined> {
  const { tls } = table.server;
  if (tls === undefined) return undefined;
  const { TlsInForce } = await import("./in_force.ts");
  return await TlsInForce.of(tls, table, getEnv, file);
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
  const { proveRefusals } = await import("./prove.ts");
  await proveRefusals(transport);
  next.isProven = true;
}
