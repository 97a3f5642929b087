import { TcpmuxError } from "../errors.ts";
import type { Transport } from "./transport.ts";

/**
 * The transport of the runtime that this runs on.
 *
 * @throws {TcpmuxError} code `unsupported` where it is none of the three
 */
export async function pickTransport(): Promise<Transport> {
  if ("Deno" in globalThis) return (await import("./deno.ts")).transport;
  if ("Bun" in globalThis) return (await import("./bun.ts")).transport;
  if (globalThis.process?.versions?.node !== undefined) {
    return (await import("./node.ts")).transport;
  }
  throw new TcpmuxError("unsupported", "this runs on Deno, Bun and Node only");
}
