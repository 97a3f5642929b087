/** Bun's sockets: https://bun.com/docs/api/tcp */
import type { Socket } from "node:net";
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { AcceptQueue } from "./accept_queue.ts";
import {
  BunConn,
  type BunHandlers,
  type BunSocket,
  HANDLERS,
} from "./bun_conn.ts";
import { bunStdio } from "./bun_stdio.ts";
import { childSpawn } from "./child.ts";
import { fromSystem } from "./errno.ts";
import {
  KEEP_ALIVE_DELAY,
  NetConn,
  netConnect,
  tcpEnd,
  UNNAMED,
} from "./net_conn.ts";
import type { Conn, Listener, Transport } from "./transport.ts";

/** The members of Bun that listening needs, and no more. */
interface BunSockets {
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

/**
 * Connecting goes through `node:net`: Bun.connect can neither time out nor be
 * cancelled, and holds its descriptor for the two minutes the kernel tries.
 * Once connected, the socket of Bun's own that is inside is all that is used.
 */
export const transport: Transport = {
  name: "bun",
  abilities: { reset: true, programs: true, unix: true },
  listen,
  connect: (endpoint, options) => netConnect(endpoint, options, adopt),
  spawn: childSpawn,
  stdio: bunStdio,
};

/** What Bun keeps inside a socket of `node:net`; not documented. */
interface Adoptable {
  _handle?: BunSocket & { reload?(options: { socket: BunHandlers }): void };
}

function adopt(socket: Socket, local: Endpoint, remote: Endpoint): Conn {
  const { _handle: inner } = socket as Adoptable;
  if (inner?.reload === undefined) return new NetConn(socket, local, remote);
  const conn = new BunConn(inner, local, remote);
  inner.data = conn;
  inner.reload({ socket: HANDLERS });
  const early: Uint8Array | null = socket.read();
  if (early !== null) conn.arrived(early);
  return conn;
}

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

  constructor(endpoint: Endpoint) {
    this.#listener = Bun.listen({
      ...(endpoint.transport === "unix"
        ? { unix: endpoint.path }
        : { hostname: endpoint.host, port: endpoint.port }),
      allowHalfOpen: true,
      data: undefined,
      socket: { ...HANDLERS, open: (socket) => this.#accepted(socket) },
    });
    const port = this.#listener.port;
    this.endpoint = endpoint.transport === "tcp" && port !== undefined
      ? { transport: "tcp", host: endpoint.host, port }
      : endpoint;
  }

  #accepted(socket: BunSocket): void {
    if (this.endpoint.transport === "unix") {
      return this.#push(new BunConn(socket, this.endpoint, UNNAMED), socket);
    }
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    if (localAddress === undefined || remoteAddress === undefined) {
      return socket.terminate(); // it was gone before it was accepted
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY);
    const local = tcpEnd(localAddress, localPort ?? 0);
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
