/** A transport with no system under it: for tests, and for services that talk
 * to each other within one program. */
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { AcceptQueue } from "./accept_queue.ts";
import { withDeadline } from "./deadline.ts";
import { closedHere } from "./errno.ts";
import { Inbox } from "./inbox.ts";

import { StreamConn } from "./stream_conn.ts";
import type { Conn, Listener, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** Bytes that one direction holds before its writer has to wait. */
const WINDOW = 64 * 1024;

/** A new world of its own: what listens in it is seen by nobody else. */
export function memoryTransport(): Transport {
  const doors = new Map<string, MemoryListener>();
  let nextPort = 49152;
  return {
    name: "memory",
    abilities: {
      reset: true,
      programs: false,
      socketStdio: false,
      unix: true,
    },
    // deno-lint-ignore require-await -- failing must reject
    async listen(endpoint) {
      const bound = endpoint.transport === "tcp" && endpoint.port === 0
        ? { ...endpoint, port: nextPort++ }
        : endpoint;
      const address = formatEndpoint(bound);
      if (doors.has(address)) {
        throw new TcpmuxError(
          "address_in_use",
          `cannot listen on ${address}: the address is already in use`,
          { address },
        );
      }
      const listener = new MemoryListener(bound, () => doors.delete(address));
      doors.set(address, listener);
      return listener;
    },
    connect(endpoint, options = {}) {
      const address = formatEndpoint(endpoint);
      const what = `cannot connect to ${address}`;
      return withDeadline(what, options, () => {
        const door = doors.get(address);
        if (door !== undefined) return Promise.resolve(door.knock(nextPort++));
        throw new TcpmuxError(
          "connection_refused",
          `${what}: connection refused`,
          { address },
        );
      });
    },
    spawn(command) {
      return Promise.reject(
        new TcpmuxError(
          "unsupported",
          `cannot start ${command.program}: there are no programs in memory`,
          { program: command.program },
        ),
      );
    },
    stdio() {
      throw new TcpmuxError("unsupported", "there is no terminal in memory");
    },
  };
}

/** Two ends of one connection. */
export function memoryPair(left: Endpoint, right: Endpoint): [Conn, Conn] {
  const a = new MemoryConn(left, right);
  const b = new MemoryConn(right, left);
  a.peer = b;
  b.peer = a;
  return [a, b];
}

class MemoryListener implements Listener {
  #queue = new AcceptQueue();
  #closed = false;
  readonly endpoint: Endpoint;
  readonly #forget: () => void;

  constructor(endpoint: Endpoint, forget: () => void) {
    this.endpoint = endpoint;
    this.#forget = forget;
  }

  knock(port: number): Conn {
    const from: Endpoint = this.endpoint.transport === "unix"
      ? { transport: "unix", path: "" }
      : { transport: "tcp", host: "127.0.0.1", port };
    const [outside, inside] = memoryPair(from, this.endpoint);
    this.#queue.push(inside);
    return outside;
  }

  accept(): Promise<Conn | null> {
    return this.#queue.shift();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forget();
    this.#queue.close();
  }
}

class MemoryConn extends StreamConn {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  peer!: MemoryConn;
  readonly #writes = new WriteQueue();
  /** Whether the peer has room, and who waits until it has. */
  #open = true;
  #awaitRoom: (() => void) | undefined;
  #ended = false;
  #broken: TcpmuxError | undefined;
  #inbox = new Inbox({
    pause: () => this.peer.#setOpen(false),
    resume: () => this.peer.#setOpen(true),
  }, WINDOW);

  constructor(local: Endpoint, remote: Endpoint) {
    super();
    this.local = local;
    this.remote = remote;
  }

  read(): Promise<Uint8Array | null> {
    return this.#inbox.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.run(async () => {
      for (let at = 0; at < bytes.length; at += WINDOW) {
        if (!this.#open) {
          await new Promise<void>((resolve) => this.#awaitRoom = resolve);
        }
        if (this.#broken !== undefined) throw this.#broken;
        if (this.#ended) throw closedHere();
        this.peer.#inbox.push(bytes.slice(at, at + WINDOW));
      }
    });
  }

  async closeWrite(): Promise<void> {
    await this.#writes.settled();
    this.#end();
  }

  close(): void {
    this.#inbox.close();
    this.#writes.settled().then(() => this.#end());
    this.peer.#break(
      new TcpmuxError("broken_pipe", "the other side has closed"),
    );
  }

  abort(): void {
    this.#inbox.close();
    this.#break(closedHere());
    const reset = new TcpmuxError("connection_reset", "reset by the peer");
    this.peer.#break(reset);
    if (this.#ended) return;
    this.#ended = true;
    this.peer.#inbox.fail(reset);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.peer.#inbox.end();
  }

  #break(error: TcpmuxError): void {
    this.#broken ??= error;
    this.#setOpen(true);
  }

  #setOpen(open: boolean): void {
    this.#open = open;
    if (!open) return;
    const resolve = this.#awaitRoom;
    this.#awaitRoom = undefined;
    resolve?.();
  }
}
