/** Bun's sockets: https://bun.com/docs/api/tcp */
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { AcceptQueue } from "./accept_queue.ts";
import { BunConn } from "./bun_conn.ts";
import { type BunHandlers, type BunSocket, HANDLERS } from "./bun_socket.ts";
import { BunConnector } from "./bun_connect.ts";
import { bunSpawn } from "./bun_pipes.ts";
import { bunStdio } from "./bun_stdio.ts";
import { bunSpawnOn } from "./bun_spawn.ts";
import { fromSystem } from "./errno.ts";
import { Growth } from "./growth.ts";
import { isOneAddress, localEnd, tcpEnd, UNNAMED } from "./net_conn.ts";
import type { Conn, Listener, Transport } from "./transport.ts";

/** The members of Bun that this needs, and no more. */
interface BunSockets {
  gc(wait: boolean): void;
  listen(
    options:
      & ({ hostname: string; port: number } | { unix: string })
      & { allowHalfOpen: true; data: undefined; socket: BunHandlers },
  ): BunListener;
}
interface BunListener {
  readonly hostname?: string;
  readonly port?: number;
  stop(closeConnections: boolean): void;
}
declare const Bun: BunSockets;

const connector = new BunConnector();
/**
 * Garbage is collected, beside what goes on, at each new height. Left to
 * itself, the engine does so when its heap has doubled, and the room between
 * what lives is not given back: what connections leave of their handshakes
 * would for good be kept for as much again.
 */
const open = new Growth(() => Bun.gc(false));

export const transport: Transport = {
  name: "bun",
  abilities: { reset: true, programs: true, socketStdio: true, unix: true },
  listen,
  connect: (endpoint, options) => connector.connect(endpoint, options),
  spawn: bunSpawn,
  spawnOn: bunSpawnOn,
  stdio: bunStdio,
};

// deno-lint-ignore require-await -- Bun listens at once; failing must reject
async function listen(endpoint: Endpoint): Promise<Listener> {
  try {
    return new NativeListener(endpoint);
  } catch (error) {
    const address = formatEndpoint(endpoint);
    throw fromSystem(error, `cannot listen on ${address}`, { address });
  }
}

class NativeListener implements Listener {
  readonly endpoint: Endpoint;
  #listener: BunListener;
  #queue = new AcceptQueue();
  /** Whether all its connections come in at one and the same address. */
  #isOne: boolean;

  constructor(endpoint: Endpoint) {
    this.#listener = Bun.listen({
      ...(endpoint.transport === "unix"
        ? { unix: endpoint.path }
        : { hostname: endpoint.host, port: endpoint.port }),
      allowHalfOpen: true,
      data: undefined,
      socket: {
        ...HANDLERS,
        open: (socket) => {
          open.came();
          this.#accepted(socket);
        },
        close: (socket, error) => {
          open.left();
          HANDLERS.close(socket, error);
        },
      },
    });
    const port = this.#listener.port;
    this.endpoint = endpoint.transport === "tcp" && port !== undefined
      ? { transport: "tcp", host: endpoint.host, port }
      : endpoint;
    this.#isOne = isOneAddress(endpoint);
  }

  #accepted(socket: BunSocket): void {
    if (this.endpoint.transport === "unix") {
      return this.#push(new BunConn(socket, this.endpoint, UNNAMED), socket);
    }
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined) {
      return socket.terminate(); // it was gone before it was accepted
    }
    const local = this.#isOne ? this.endpoint : localEnd(socket);
    const remote = tcpEnd(remoteAddress, remotePort ?? 0);
    this.#push(new BunConn(socket, local, remote), socket);
  }

  #push(conn: BunConn, socket: BunSocket): void {
    socket.data = conn;
    this.#queue.push(conn);
  }

  accept(): Promise<Conn | null> {
    return this.#queue.shift();
  }

  close(): void {
    this.#listener.stop(false);
    this.#queue.close();
  }
}
