/** Listening on Deno: https://docs.deno.com/api/deno/~/Deno.listen */
import { unlinkSync } from "node:fs";
import {
  type Endpoint,
  formatEndpoint,
  isUnscoped,
  UNNAMED,
  withScopes,
} from "../../endpoint.ts";
import type { TcpmuxError } from "../../errors.ts";
import type { Buffers } from "../buffers.ts";
import { fromSystem } from "../errno.ts";
import { permitted } from "../permission.ts";
import type { Conn, Listener, Transport } from "../transport.ts";
import {
  type DenoAddress,
  DenoConn,
  type DenoSocket,
  fromDeno,
  toDeno,
} from "./conn.ts";

/** The members of Deno that listening needs, and no more. */
declare const Deno: {
  listen(options: DenoAddress & { tcpBacklog?: number }): DenoListenerSocket;
};
interface DenoListenerSocket {
  readonly addr: DenoAddress;
  accept(): Promise<DenoSocket>;
  close(): void;
}

export function denoListen(buffers: Buffers): Transport["listen"] {
  // deno-lint-ignore require-await -- Deno listens at once; failing must reject
  return async (endpoint, options = {}) => {
    try {
      const listener = Deno.listen({
        ...toDeno(endpoint),
        tcpBacklog: options.backlog ?? 511,
      });
      return new DenoListener(listener, endpoint, buffers);
    } catch (error) {
      const address = formatEndpoint(endpoint);
      throw fromSystem(error, `cannot listen on ${address}`, { address });
    }
  };
}

/**
 * Deno leaves it to the system whether `::` takes IPv4 too: `bindv6only` of
 * ip-sysctl. If it does, the port cannot be taken a second time for IPv4.
 */
// deno-lint-ignore require-await -- part of a contract
export async function denoIsDualStack(): Promise<boolean> {
  try {
    const v6 = Deno.listen({ transport: "tcp", hostname: "::", port: 0 });
    const { port } = { port: 0, ...v6.addr };
    try {
      Deno.listen({ transport: "tcp", hostname: "0.0.0.0", port }).close();
      return false;
    } finally {
      v6.close();
    }
  } catch {
    return true; // or there is no IPv6, or no permission: listening says that
  }
}

class DenoListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #listener: DenoListenerSocket;
  readonly #buffers: Buffers;
  #isClosed = false;

  constructor(
    listener: DenoListenerSocket,
    endpoint: Endpoint,
    buffers: Buffers,
  ) {
    this.#listener = listener;
    this.#buffers = buffers;
    const { port } = { port: 0, ...listener.addr };
    this.endpoint = endpoint.transport === "unix"
      ? endpoint
      : { ...endpoint, port }; // Deno's own has no scope
  }

  async accept(): Promise<Conn | null> {
    while (!this.#isClosed) {
      try {
        return connOf(
          await this.#listener.accept(),
          this.endpoint,
          this.#buffers,
        );
      } catch (error) {
        if (this.#isClosed) break;
        const failure = fromSystem(error, "cannot accept");
        // The client left before it was accepted; the next one may be there.
        if ((failure as TcpmuxError).code !== "connection_reset") throw failure;
      }
    }
    return null;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.endpoint.transport === "unix") removeSocket(this.endpoint.path);
    this.#listener.close();
  }
}

/** @throws an error of the system, and then the socket is closed */
function connOf(socket: DenoSocket, at: Endpoint, buffers: Buffers): DenoConn {
  try {
    if (at.transport === "unix") {
      return new DenoConn(socket, { local: at, remote: UNNAMED }, buffers);
    }
    const remote = fromDeno(socket.remoteAddr);
    const isAny = at.host === "::" || at.host === "0.0.0.0";
    const ends = { local: isAny ? fromDeno(socket.localAddr) : at, remote };
    const lacksScope = remote.transport === "tcp" && isUnscoped(remote.host) &&
      (!isAny || permitted("sys")); // to see what interfaces there are
    return new DenoConn(socket, lacksScope ? withScopes(ends) : ends, buffers);
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Deno does so once the last accept has ended, which may be never. */
function removeSocket(path: string): void {
  if (path.startsWith("\0")) return;
  try {
    unlinkSync(path);
  } catch {
    // It was closed already.
  }
}
