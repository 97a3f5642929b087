import type { Endpoint } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import type { Timeout } from "../timers.ts";
import { BunCarrier, giveBack, type Outlet } from "./bun_carrier.ts";
import { BunOutputCarrier } from "./bun_output_carrier.ts";
import type { BunSocket, SocketOwner } from "./bun_socket.ts";
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

/** A connection over a socket of Bun's own. */
export class BunConn extends StreamConn implements Outlet, SocketOwner {
  readonly remote: Endpoint;
  #local: Endpoint | undefined;
  #socket: BunSocket;
  /** None while what comes goes straight to a sink. */
  #inbox: Inbox | undefined;
  #sink: Outlet | undefined;
  #carriage: Carriage | undefined;
  /** Made when a write has to wait for the first time. */
  #writes: WriteQueue | undefined;
  #awaitDrain: { drained(): void } | undefined;
  /** Whether anything can be written yet, and why not if not by us. */
  #output: "open" | "shut down" | "gone" = "open";
  #error: TcpmuxError | undefined;
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
    const sink = this.#sink;
    const rest = sink === undefined ? bytes : this.#passOn(bytes, sink);
    if (rest !== undefined) this.#received.push(rest);
  }

  /** @returns what the sink has not taken */
  #passOn(bytes: Uint8Array, sink: Outlet): Uint8Array | undefined {
    let count: number;
    try {
      count = sink.offer(bytes);
    } catch {
      return bytes; // for the carrier, which meets the same and tells of it
    }
    if (count > 0) this.#carriage!.moved(count);
    if (count < bytes.length) return bytes.subarray(count);
    giveBack(bytes);
  }

  /** What keeps what comes, or has it carried where the sink is in trouble. */
  get #received(): Inbox {
    if (this.#inbox !== undefined) return this.#inbox;
    const inbox = this.#inbox = new Inbox(this.#socket);
    if (this.#sink !== undefined) {
      inbox.pourInto(new BunCarrier(inbox, this.#sink, this.#carriage!));
      this.#sink = this.#carriage = undefined;
    }
    return inbox;
  }

  drained(): void {
    const waiting = this.#awaitDrain;
    this.#awaitDrain = undefined;
    waiting?.drained();
  }

  ended(): void {
    this.#received.end();
  }

  /** Bun's last word; it stands for the peer's end once we have shut down. */
  gone(error: Error | undefined): void {
    const wasShutDown = this.#output === "shut down";
    this.#output = "gone";
    this.#young?.cancel();
    const inbox = this.#received;
    if (error !== undefined) {
      this.#error ??= fromSystem(error, "the connection broke");
      inbox.fail(this.#error);
    } else if (wasShutDown) inbox.end();
    else if (!inbox.over) inbox.fail(closedHere());
    this.drained();
  }

  read(): Promise<Uint8Array | null> {
    return this.#received.read();
  }

  readTo(reader: Reader): void {
    this.#received.readTo(reader);
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
    if (this.#output !== "open") throw this.#error ?? closedHere();
    const count = this.#socket.write(bytes);
    if (count >= 0) return count;
    throw new TcpmuxError("broken_pipe", "the connection is closed");
  }

  whenDrained(waiting: { drained(): void }): void {
    this.#awaitDrain = waiting;
  }

  carryTo(sink: Conn, carriage: Carriage): boolean {
    if (sink instanceof BunConn && this.#isUntouched) {
      this.#inbox = undefined;
      this.#sink = sink;
      this.#carriage = carriage;
      return true;
    }
    const inbox = this.#received;
    const carrier = sink instanceof BunConn
      ? new BunCarrier(inbox, sink, carriage)
      : sink instanceof StdioConn
      ? new BunOutputCarrier(inbox, sink, carriage)
      : undefined;
    if (carrier === undefined) return false;
    inbox.pourInto(carrier);
    return true;
  }

  /** Whether nothing lies unread, nobody reads and more may come. */
  get #isUntouched(): boolean {
    const inbox = this.#inbox;
    if (inbox === undefined) return this.#sink === undefined;
    return inbox.isFlowing;
  }

  detach(): Detached | undefined {
    const socket = this.#socket;
    if (
      this.#output !== "open" || this.#hasWrites ||
      !this.#received.isIdle || !(socket.fd >= 0)
    ) return undefined;
    socket.pause();
    this.#received.close();
    if (this.#young?.cancel()) keepAlive(socket); // it is that or never
    return {
      fd: socket.fd,
      release: () => {
        if (this.#output === "gone") return;
        this.#output = "gone";
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
    if (this.#output !== "open") return;
    this.#output = "shut down";
    this.#socket.shutdown();
  }

  close(): void {
    this.#received.close();
    if (this.#hasWrites) this.#letGoLater();
    else this.#letGo();
  }

  async #letGoLater(): Promise<void> {
    await this.#writes?.settled();
    this.#letGo();
  }

  abort(): void {
    this.#received.close();
    if (this.#output === "gone") return;
    this.#output = "gone";
    this.#socket.terminate();
  }

  #letGo(): void {
    if (this.#output === "gone") return;
    this.#output = "gone";
    this.#socket.end();
  }
}
