/** The transport of the runtime, or the one that the user of the library chose. */
import { TcpmuxError } from "../errors.ts";
import { memoryTransport } from "./memory.ts";
import type { Transport, TransportHandle } from "./transport.ts";

/** A new transport of the runtime that this runs on. */
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

/**
 * The transport of a handle; without a handle, a new one of the runtime.
 *
 * @throws {TypeError} if the value is not a transport
 */
export async function transportOf(
  handle: TransportHandle | undefined,
): Promise<Transport> {
  if (handle === undefined) return await pickTransport();
  if ("timers" in handle) return handle as Transport;
  throw new TypeError(
    "transport must be the result of pickTransport() or memoryTransport()",
  );
}

/**
 * A new transport with the runtime's own sockets and processes. Without the
 * option `transport`, every call of `connect` and the like makes one. Sharing
 * one between many calls costs less, and a host name that several of them need
 * at a time is looked up once.
 *
 * @throws {TcpmuxError} rejects with `unsupported` on a runtime other than Deno,
 * Bun and Node
 */
export async function runtimeHandle(): Promise<TransportHandle> {
  return await pickTransport();
}

/**
 * A new transport in memory, without sockets, for tests. Servers and clients
 * reach each other only through the same transport. A host name is an address
 * of its own, and is not looked up. There are no programs.
 */
export function memoryHandle(): TransportHandle {
  return memoryTransport();
}
