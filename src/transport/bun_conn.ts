import type { Endpoint } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { fromSystem } from "./errno.ts";
import { Inbox, type Receiver } from "./inbox.ts";
import { closedHere } from "./net_conn.ts";
import { StreamConn } from "./stream_conn.ts";
import { type Carried, type Conn, ENDED, type Moved } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** The members of Bun's sockets that a connection needs, and no more. */
export interface BunSocket {
  data: unknown;
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

/** What Bun calls on a socket; `data` is our connection once there is one. */
export interface BunHandlers {
  binaryType: "uint8array";
  open(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

/** Shared by all sockets: none has functions of its own. */
export const HANDLERS: BunHandlers = {
  binaryType: "uint8array",
  open() {},
  data: ({ data: conn }, bytes) =>
    (conn as BunConn | undefined)?.arrived(bytes),
  drain: ({ data: conn }) => (conn as BunConn | undefined)?.drained(),
  end: ({ data: conn }) => (conn as BunConn | undefined)?.ended(),
  close: ({ data: conn }, error) => (conn as BunConn | undefined)?.gone(error),
  error: ({ data: conn }, error) => (conn as BunConn | undefined)?.gone(error),
};

/** Bytes that were written at once: one promise for all of them. */
const WRITTEN: Promise<void> = Promise.resolve();

/** A connection over a socket of Bun's own. */
export class BunConn extends StreamConn {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  #socket: BunSocket;
  #inbox: Inbox;
  #writes = new WriteQueue();
  #awaitDrain: { drained(): void } | undefined;
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
    const waiting = this.#awaitDrain;
    this.#awaitDrain = undefined;
    waiting?.drained();
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
    if (!this.#writes.idle) {
      return this.#writes.run(() => this.#writeAll(bytes));
    }
    let count: number;
    try {
      count = this.offer(bytes);
    } catch (error) {
      return Promise.reject(error);
    }
    if (count === bytes.length) return WRITTEN;
    const rest = bytes.subarray(count);
    return this.#writes.run(() => this.#writeAll(rest, true));
  }

  /** Bun takes what the kernel takes; the rest is ours to offer again. */
  async #writeAll(bytes: Uint8Array, isFull = false): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      if (isFull) {
        await new Promise<void>((drained) => this.whenDrained({ drained }));
      }
      rest = rest.subarray(this.offer(rest));
      isFull = true;
    }
  }

  /**
   * Writes what the kernel takes right now.
   *
   * @returns how many bytes that was
   * @throws {TcpmuxError} as `write` rejects
   */
  offer(bytes: Uint8Array): number {
    if (this.#broken !== undefined) throw this.#broken;
    if (this.#shutDown) throw closedHere();
    const count = this.#socket.write(bytes);
    if (count >= 0) return count;
    throw new TcpmuxError("broken_pipe", "the connection is closed");
  }

  /** Calls once, when the kernel takes bytes again or never will. */
  whenDrained(waiting: { drained(): void }): void {
    this.#awaitDrain = waiting;
  }

  carryTo(sink: Conn, moved: Moved): Promise<Carried> | undefined {
    if (!(sink instanceof BunConn)) return undefined;
    return new Promise((resolve, reject) => {
      const inbox = this.#inbox;
      inbox.pourInto(new Carrier(inbox, sink, moved, resolve, reject));
    });
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

/** Writes to one connection, straight away, what another one receives. */
class Carrier implements Receiver {
  #source: Inbox;
  #sink: BunConn;
  #moved: Moved;
  #resolve: (end: Carried) => void;
  #reject: (error: Error) => void;
  /** What the kernel has not taken yet. */
  #rest: Uint8Array | undefined;

  constructor(
    source: Inbox,
    sink: BunConn,
    moved: Moved,
    resolve: (end: Carried) => void,
    reject: (error: Error) => void,
  ) {
    this.#source = source;
    this.#sink = sink;
    this.#moved = moved;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  data(bytes: Uint8Array): boolean {
    let count: number;
    try {
      count = this.#sink.offer(bytes);
    } catch (error) {
      this.#rest = undefined;
      this.#source.keep();
      this.#resolve({ how: "sink broken", error });
      return true;
    }
    if (count > 0) this.#moved(count);
    if (count === bytes.length) return true;
    this.#rest = bytes.subarray(count);
    this.#sink.whenDrained(this);
    return false;
  }

  drained(): void {
    const rest = this.#rest;
    if (rest === undefined) return;
    this.#rest = undefined;
    if (this.data(rest)) this.#source.release();
  }

  end(): void {
    this.#resolve(ENDED);
  }

  fail(error: Error): void {
    this.#rest = undefined;
    this.#reject(error);
  }
}
