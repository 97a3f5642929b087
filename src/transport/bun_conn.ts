import type { Endpoint } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import type { Timeout } from "../timeouts.ts";
import { BunCarrier, type Outlet } from "./bun_carrier.ts";
import { BunOutputCarrier } from "./bun_output_carrier.ts";
import { DONE } from "./done.ts";
import { closedHere, fromSystem } from "./errno.ts";
import { Inbox } from "./inbox.ts";
import { keepAlive, worthKeepingAlive } from "./keep_alive.ts";
import { localEnd } from "./net_conn.ts";
import type { Reader } from "./reader.ts";
import { StdioConn } from "./stdio_conn.ts";
import { StreamConn } from "./stream_conn.ts";
import type { Carriage, Conn, Detached } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** The members of Bun's sockets that a connection needs, and no more. */
export interface BunSocket {
  data: unknown;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  /** The descriptor; below 0 when closed. */
  readonly fd: number;
  /** Bytes taken, which may be fewer than given; -1 when closed. */
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  shutdown(): void;
  end(): void;
  /** As `end`, but whoever else has the socket may write on. */
  close(): void;
  terminate(): void;
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

/** A connection over a socket of Bun's own. */
export class BunConn extends StreamConn implements Outlet {
  readonly remote: Endpoint;
  #local: Endpoint | undefined;
  #socket: BunSocket;
  #inbox: Inbox;
  /** Made when a write has to wait for the first time. */
  #writes: WriteQueue | undefined;
  #awaitDrain: { drained(): void } | undefined;
  /** Whether nothing can be written any more, and why if not by us. */
  #gone = false;
  #error: TcpmuxError | undefined;
  #shutDown = false;
  /** Until it has lived for a moment. */
  #young: Timeout | undefined;

  /** @param local found out when it is asked for, if it is not known */
  constructor(
    socket: BunSocket,
    local: Endpoint | undefined,
    remote: Endpoint,
  ) {
    super();
    this.#socket = socket;
    this.#local = local;
    this.remote = remote;
    this.#inbox = new Inbox(socket);
    if (remote.transport === "unix") return;
    this.#young = worthKeepingAlive(this);
  }

  /** It has lived for a moment. */
  expired(): void {
    this.#young = undefined;
    keepAlive(this.#socket);
  }

  get local(): Endpoint {
    return this.#local ??= localEnd(this.#socket);
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
    this.#gone = true;
    this.#young?.cancel();
    if (error !== undefined) {
      this.#error ??= fromSystem(error, "the connection broke");
      this.#inbox.fail(this.#error);
    } else if (this.#shutDown) this.#inbox.end();
    else if (!this.#inbox.over) this.#inbox.fail(closedHere());
    this.drained();
  }

  read(): Promise<Uint8Array | null> {
    return this.#inbox.read();
  }

  readTo(reader: Reader): void {
    this.#inbox.readTo(reader);
  }

  write(bytes: Uint8Array): Promise<void> {
    if (this.#hasWrites) return this.#writeLater(bytes);
    let count: number;
    try {
      count = this.offer(bytes);
    } catch (error) {
      return Promise.reject(error);
    }
    if (count === bytes.length) return DONE;
    return this.#writeLater(bytes.subarray(count), true);
  }

  #writeLater(bytes: Uint8Array, isFull = false): Promise<void> {
    this.#writes ??= new WriteQueue();
    return this.#writes.run(() => this.#writeAll(bytes, isFull));
  }

  /** Whether writes wait for their turn. */
  get #hasWrites(): boolean {
    return this.#writes !== undefined && !this.#writes.idle;
  }

  /** Bun takes what the kernel takes; the rest is ours to offer again. */
  async #writeAll(bytes: Uint8Array, isFull: boolean): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      if (isFull) {
        await new Promise<void>((drained) => this.whenDrained({ drained }));
      }
      rest = rest.subarray(this.offer(rest));
      isFull = true;
    }
  }

  offer(bytes: Uint8Array): number {
    if (this.#gone || this.#shutDown) throw this.#error ?? closedHere();
    const count = this.#socket.write(bytes);
    if (count >= 0) return count;
    throw new TcpmuxError("broken_pipe", "the connection is closed");
  }

  whenDrained(waiting: { drained(): void }): void {
    this.#awaitDrain = waiting;
  }

  carryTo(sink: Conn, carriage: Carriage): boolean {
    const carrier = sink instanceof BunConn
      ? new BunCarrier(this.#inbox, sink, carriage)
      : sink instanceof StdioConn
      ? new BunOutputCarrier(this.#inbox, sink, carriage)
      : undefined;
    if (carrier === undefined) return false;
    this.#inbox.pourInto(carrier);
    return true;
  }

  detach(): Detached | undefined {
    const socket = this.#socket;
    if (
      this.#gone || this.#shutDown || this.#hasWrites ||
      !this.#inbox.isIdle || !(socket.fd >= 0)
    ) return undefined;
    socket.pause();
    this.#inbox.close();
    if (this.#young?.cancel()) keepAlive(socket); // it is that or never
    return {
      fd: socket.fd,
      release: () => {
        if (this.#gone) return;
        this.#gone = true;
        socket.close();
      },
    };
  }

  closeWrite(): Promise<void> {
    if (this.#hasWrites) return this.#shutdownLater();
    this.#shutdown();
    return DONE;
  }

  async #shutdownLater(): Promise<void> {
    await this.#writes?.settled();
    this.#shutdown();
  }

  #shutdown(): void {
    if (this.#shutDown || this.#gone) return;
    this.#shutDown = true;
    this.#socket.shutdown();
  }

  close(): void {
    this.#inbox.close();
    if (this.#hasWrites) this.#letGoLater();
    else this.#letGo();
  }

  async #letGoLater(): Promise<void> {
    await this.#writes?.settled();
    this.#letGo();
  }

  abort(): void {
    this.#inbox.close();
    if (this.#gone) return;
    this.#gone = true;
    this.#socket.terminate();
  }

  #letGo(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#socket.end();
  }
}
