/** Connections on Deno: https://docs.deno.com/api/deno/~/Deno.Conn */
import { setImmediate } from "node:timers/promises";
import { type Endpoint, type Peer, tcpEnd } from "../../endpoint.ts";
import { codeOf } from "../../errors.ts";
import type { Buffers } from "../buffers.ts";
import { closedHere, fromSystem } from "../errno.ts";
import { PulledConn } from "../pulled_conn.ts";
import type { Conn, Pump } from "../transport.ts";
import { WriteQueue } from "../write_queue.ts";

/** An address as Deno has it. */
export type DenoAddress =
  | { transport: "tcp"; hostname: string; port: number }
  | { transport: "unix"; path: string };

export function toDeno(endpoint: Endpoint): DenoAddress {
  return endpoint.transport === "unix"
    ? { transport: "unix", path: endpoint.path }
    : { transport: "tcp", hostname: endpoint.host, port: endpoint.port };
}

export function fromDeno(address: DenoAddress): Endpoint {
  return address.transport === "unix"
    ? { transport: "unix", path: address.path ?? "" }
    : tcpEnd(address.hostname, address.port);
}

/** The members of Deno's connections that are needed, and no more. */
export interface DenoSocket {
  readonly localAddr: DenoAddress;
  readonly remoteAddr: DenoAddress;
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on: boolean): void;
  setKeepAlive?(on: boolean): void;
}

/** Bytes of a large buffer, which the reader may keep. */
const KEPT_BUFFER = 64 * 1024;

/** Bytes from which on a large buffer is handed on, and not a copy of them. */
const MUCH = KEPT_BUFFER / 16;

export class DenoConn extends PulledConn {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly #socket: DenoSocket;
  readonly #buffers: Buffers;
  readonly #writes = new WriteQueue();
  /** Whether bytes are being written, by the queue or by a pipe. */
  #isWriting = false;
  #written: (() => void) | undefined = undefined;
  /** Whether the last read has filled so much that the next one is large. */
  #isMuch = false;
  #hasEnded = false;
  #isGone = false;
  /** Why nothing can be written any more. */
  #broken: Error | undefined = undefined;

  constructor(
    socket: DenoSocket,
    { local, remote }: Peer,
    buffers: Buffers,
  ) {
    super();
    this.#socket = socket;
    this.local = local;
    this.remote = remote;
    this.#buffers = buffers;
    socket.setNoDelay?.(true);
    socket.setKeepAlive?.(true); // at once: during a write it would throw
  }

  protected pull(): Promise<Uint8Array | null> {
    return this.#isMuch ? this.#readMuch() : this.#readFirst();
  }

  async #readFirst(): Promise<Uint8Array | null> {
    const buffer = this.#buffers.take();
    let count: number | null;
    try {
      count = await this.#socket.read(buffer);
    } catch (error) {
      this.#buffers.giveUp(buffer);
      throw this.#readError(error);
    }
    const bytes = count === null ? null : buffer.slice(0, count);
    this.#buffers.putBack(buffer);
    this.#isMuch = count === buffer.length;
    return bytes ?? this.#endOfInput();
  }

  async #readMuch(): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(KEPT_BUFFER);
    let count: number | null;
    try {
      count = await this.#socket.read(buffer);
    } catch (error) {
      throw this.#readError(error);
    }
    if (count === null) return this.#endOfInput();
    this.#isMuch = count >= MUCH;
    return this.#isMuch ? buffer.subarray(0, count) : buffer.slice(0, count);
  }

  /** @throws {TcpmuxError} where a write was told of the reset */
  #endOfInput(): null {
    if (codeOf(this.#broken) !== "connection_reset") return null;
    throw this.#broken;
  }

  #readError(error: unknown): Error {
    return this.isDropped ? closedHere() : fromSystem(error, "cannot read");
  }

  pipeTo(sink: Conn, pump: Pump): boolean {
    if (!this.beginPipe(pump)) return false;
    this.#pipe(sink, pump);
    return true;
  }

  /**
   * One buffer is read into and written from, as large as the traffic asks.
   * An idle connection waits in here, in one function and one read.
   */
  async #pipe(sink: Conn, pump: Pump): Promise<void> {
    const buffers = this.#buffers;
    let buffer = buffers.take();
    const took = (count: number) => {
      if (this.isPiping(pump)) pump.moved(this, count);
    };
    for (;;) {
      let count: number | null;
      try {
        count = await this.#socket.read(buffer);
      } catch (error) {
        buffers.giveUp(buffer);
        return this.endPipe(pump, this.#readError(error));
      }
      if (count === null) {
        buffers.putBack(buffer);
        return this.endPipe(pump, null);
      }
      if (!this.isPiping(pump)) {
        const bytes = buffer.slice(0, count);
        buffers.putBack(buffer);
        return this.answer(bytes);
      }
      const bytes = buffer.subarray(0, count);
      this.waiting = true;
      pump.held(this);
      try {
        if (sink instanceof DenoConn) await sink.#writeAll(bytes, took);
        else {
          await sink.write(bytes);
          took(count);
        }
      } catch (error) {
        buffers.giveUp(buffer);
        return this.breakPipe(pump, error as Error);
      }
      this.waiting = false;
      if (!this.isPiping(pump)) {
        buffers.putBack(buffer);
        return this.leavePipe();
      }
      buffer = buffers.fitting(buffer, count);
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#queuePipe();
    return this.#writes.run(() => this.#writeAll(bytes));
  }

  /** @param took told of each part that the system has taken */
  async #writeAll(
    bytes: Uint8Array,
    took?: (count: number) => void,
  ): Promise<void> {
    this.#isWriting = true;
    try {
      for (let rest = bytes; rest.length > 0;) {
        if (this.#isGone || this.#hasEnded) throw closedHere();
        const count = await this.#socket.write(rest);
        rest = rest.subarray(count);
        took?.(count);
      }
    } catch (error) {
      throw this.#isGone ? closedHere() : await this.#writeFailure(error);
    } finally {
      this.#isWriting = false;
      this.#written?.();
      this.#written = undefined;
    }
  }

  /**
   * The system tells of a reset once, by a read or by a write, and then of a
   * broken pipe alone.
   */
  async #writeFailure(error: unknown): Promise<Error> {
    const failure = fromSystem(error, "cannot write");
    if (codeOf(failure) === "broken_pipe") await setImmediate(); // a read under way
    if (this.end instanceof Error && !this.isDropped) return this.end;
    return this.#broken ??= failure;
  }

  /** A pipe bypasses the queue; once others write, they must wait for it. */
  #queuePipe(): void {
    if (!this.#isWriting || !this.#writes.isIdle) return;
    this.#writes.run(() => new Promise((resolve) => this.#written = resolve));
  }

  async closeWrite(): Promise<void> {
    this.#queuePipe();
    await this.#writes.settled();
    if (this.#isGone || this.#hasEnded) return;
    this.#hasEnded = true;
    try {
      await this.#socket.closeWrite();
    } catch (error) {
      if (!this.#isGone) throw fromSystem(error, "cannot end");
    }
  }

  close(): void {
    if (this.isDropped) return;
    this.drop();
    this.#queuePipe();
    if (this.#writes.isIdle) this.#letGo();
    else this.#writes.settled().then(() => this.#letGo());
  }

  abort(): void {
    this.drop();
    this.#letGo();
  }

  #letGo(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#socket.close();
  }

  /** An empty write reaches the system, and sends nothing to the peer. */
  async isAlive(): Promise<boolean> {
    if (this.isDropped) return false;
    // A write under way finds out by itself, and would make this one wait.
    if (this.#hasEnded || this.#isWriting) return true;
    try {
      await this.#socket.write(new Uint8Array(0));
      return true;
    } catch {
      return false;
    }
  }
}
