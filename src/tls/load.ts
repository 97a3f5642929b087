import type { Table } from "../table/table.ts";
import type { TlsInForce } from "./in_force.ts";

/** The TLS of a table; its code is loaded only where a table asks for it. */
export async function tlsOf(
  table: Table,
  getEnv: (name: string) => string | undefined,
  file?: string,
): Promise<TlsInForce | undefined> {
  if (table.server.tls === undefined) return undefined;
  const { TlsInForce } = await import("./in_force.ts");
  return await TlsInForce.of(table, getEnv, file);
}
