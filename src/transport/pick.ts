import { TcpmuxError } from "../errors.ts";
import type { Transport } from "./transport.ts";

/**
 * A new transport of the runtime that this runs on.
 *
 * @throws {TcpmuxError} code `unsupported` where that is not Deno, Bun or Node
 */
export async function pickTransport(): Promise<Transport> {
  if ("Deno" in globalThis) {
    return (await import("./deno/transport.ts")).denoTransport();
  }
  if ("Bun" in globalThis) {
    return (await import("./bun/transport.ts")).bunTransport();
  }
  if (globalThis.process?.versions?.node !== undefined) {
    return (await import("./node/transport.ts")).nodeTransport();
  }
  throw new TcpmuxError("unsupported", "this runs on Deno, Bun and Node only");
}
