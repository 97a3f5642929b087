/** Which transport is used: the runtime's, or the one that a program has chosen. */
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
 * The transport of a handle; without one, a new one of the runtime.
 *
 * @throws {TypeError} for what is no transport
 */
export async function transportOf(
  handle: TransportHandle | undefined,
): Promise<Transport> {
  if (handle === undefined) return await pickTransport();
  if ("timers" in handle) return handle as Transport;
  throw new TypeError(
    "transport is none: take what pickTransport() or memoryTransport() gives",
  );
}

/**
 * The runtime's own sockets and processes. `serve`, `connect` and the others
 * make a transport of their own where they are given none; one for all of many
 * calls costs less, and looks equal host names up once at a time.
 *
 * @throws {TcpmuxError} rejects with `unsupported` where this is neither Deno
 * nor Bun nor Node
 */
export async function runtimeHandle(): Promise<TransportHandle> {
  return await pickTransport();
}

/**
 * A new world without sockets, for tests. Its addresses are its own, and each
 * name is one: only who is given the same transport reaches what listens there.
 * A table with programs cannot be served in it.
 */
export function memoryHandle(): TransportHandle {
  return memoryTransport();
}
