import type { Table } from "../table/table.ts";
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
