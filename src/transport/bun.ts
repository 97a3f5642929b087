/** Bun's sockets: https://bun.com/docs/api/tcp */
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { AcceptQueue } from "./accept_queue.ts";
import { bunStdio } from "./bun_stdio.ts";
import { childSpawn } from "./child.ts";
import { fromSystem } from "./errno.ts";
import { Inbox } from "./inbox.ts";
import {
  closedHere,
  KEEP_ALIVE_DELAY,
  netConnect,
  tcpEnd,
  UNNAMED,
} from "./net_conn.ts";
import { StreamConn } from "./stream_conn.ts";
import type { Conn, Listener, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** The members of Bun that sockets need, and no more. */
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
interface BunSocket {
  data: NativeConn | undefined;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  /** Bytes taken, which may be fewer than given; -1 when closed. */
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  shutdown(): void;
  end(): void;
  terminate(): void;
  setNoDelay(on: boolean): boolean;
  setKeepAlive(on: boolean, delay: number): boolean;
}
interface BunHandlers {
  binaryType: "uint8array";
  open(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}
declare const Bun: BunSockets;

/**
 * Connecting goes through `node:net`: Bun.connect can neither time out nor be
 * cancelled, and holds its descriptor for the two minutes the kernel tries.
 */
export const transport: Transport = {
  name: "bun",
  abilities: { reset: true, programs: true, unix: true },
  listen,
  connect: netConnect,
  spawn: childSpawn,
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

  constructor(endpoint: Endpoint) {
    this.#listener = Bun.listen({
      ...(endpoint.transport === "unix"
        ? { unix: endpoint.path }
        : { hostname: endpoint.host, port: endpoint.port }),
      allowHalfOpen: true,
      data: undefined,
      socket: {
        binaryType: "uint8array",
        open: (socket) => this.#accepted(socket),
        data: (socket, bytes) => socket.data?.arrived(bytes),
        drain: (socket) => socket.data?.drained(),
        end: (socket) => socket.data?.ended(),
        close: (socket, error) => socket.data?.gone(error),
        error: (socket, error) => socket.data?.gone(error),
      },
    });
    const port = this.#listener.port;
    this.endpoint = endpoint.transport === "tcp" && port !== undefined
      ? { transport: "tcp", host: endpoint.host, port }
      : endpoint;
  }

  #accepted(socket: BunSocket): void {
    if (this.endpoint.transport === "unix") {
      socket.data = new NativeConn(socket, this.endpoint, UNNAMED);
      return this.#queue.push(socket.data);
    }
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    if (localAddress === undefined || remoteAddress === undefined) {
      return socket.terminate(); // it was gone before it was accepted
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY);
    socket.data = new NativeConn(
      socket,
      tcpEnd(localAddress, localPort ?? 0),
      tcpEnd(remoteAddress, remotePort ?? 0),
    );
    this.#queue.push(socket.data);
  }

  accept(): Promise<Conn | null> {
    return this.#queue.shift();
  }

  close(): void {
    this.#listener.stop(false);
    this.#queue.close();
  }
}

class NativeConn extends StreamConn {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  #socket: BunSocket;
  #inbox: Inbox;
  #writes = new WriteQueue();
  #awaitDrain: (() => void) | undefined;
  /** Why nothing can be written any more. */
  #broken: TcpmuxError | undefined;
  #shutDown = false;

  constructor(socket: BunSocket, local: Endpoint, remote: Endpoint) {
    super();
    this.#socket = socket;
    this.local = local;
    this.remote = remote;
    this.#inbox = new Inbox(socket);
  }

  arrived(bytes: Uint8Array): void {
    this.#inbox.push(bytes);
  }

  drained(): void {
    const resolve = this.#awaitDrain;
    this.#awaitDrain = undefined;
    resolve?.();
  }

  ended(): void {
    this.#inbox.end();
  }

  /** Bun's last word; it stands for the peer's end once we have shut down. */
  gone(error: Error | undefined): void {
    if (error === undefined && this.#shutDown) this.#inbox.end();
    const broken = error === undefined
      ? closedHere()
      : fromSystem(error, "the connection broke");
    this.#broken ??= broken;
    this.#inbox.fail(broken);
    this.drained();
  }

  read(): Promise<Uint8Array | null> {
    return this.#inbox.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.run(() => this.#writeAll(bytes));
  }

  /** Bun takes what the kernel takes; the rest is ours to offer again. */
  async #writeAll(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#broken !== undefined) throw this.#broken;
      if (this.#shutDown) throw closedHere();
      const count = this.#socket.write(rest);
      if (count < 0) {
        throw new TcpmuxError("broken_pipe", "the connection is closed");
      }
      if (count === rest.length) return;
      rest = rest.subarray(count);
      await new Promise<void>((resolve) => this.#awaitDrain = resolve);
    }
  }

  async closeWrite(): Promise<void> {
    await this.#writes.settled();
    if (this.#shutDown || this.#broken !== undefined) return;
    this.#shutDown = true;
    this.#socket.shutdown();
  }

  close(): void {
    this.#inbox.fail(closedHere(), true);
    if (this.#writes.idle) this.#letGo();
    else this.#writes.settled().then(() => this.#letGo());
  }

  abort(): void {
    this.#inbox.fail(closedHere(), true);
    if (this.#broken !== undefined) return;
    this.#broken = closedHere();
    this.#socket.terminate();
  }

  #letGo(): void {
    if (this.#broken !== undefined) return;
    this.#broken = closedHere();
    this.#socket.end();
  }
}
