import type { Endpoint } from "../endpoint.ts";
import { buffers, SMALL_BUFFER } from "./buffers.ts";
import { closedHere, fromSystem } from "./errno.ts";
import { StdioConn } from "./stdio_conn.ts";
import { StreamConn } from "./stream_conn.ts";
import type { Carriage, Conn } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

export type DenoAddress =
  | { transport: "tcp"; hostname: string; port: number }
  | { transport: "unix"; path: string };

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

/** Bytes of a large buffer that is the reader's to keep. */
const KEPT_BUFFER = 64 * 1024;

/** Each write to standard output goes to a thread and back: few of them. */
const OUTPUT_BUFFER = 1024 * 1024;

/** A connection over a socket of Deno's own. */
export class DenoConn extends StreamConn {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  #conn: DenoSocket;
  #closed = false;
  #reading = false;
  #bufferSize = SMALL_BUFFER;
  #writes = new WriteQueue();

  constructor(conn: DenoSocket, local: Endpoint, remote: Endpoint) {
    super();
    this.#conn = conn;
    this.local = local;
    this.remote = remote;
    conn.setNoDelay?.(true);
    conn.setKeepAlive?.(true); // at once: during a write it would throw
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#reading) throw new TypeError("a read is already under way");
    this.#reading = true;
    const buffer = new Uint8Array(this.#bufferSize);
    try {
      const count = await this.#readInto(buffer);
      if (count === null) return null;
      // A full buffer means that more is waiting: take it in fewer steps.
      this.#bufferSize = count === buffer.length ? KEPT_BUFFER : SMALL_BUFFER;
      return buffer.subarray(0, count);
    } finally {
      this.#reading = false;
    }
  }

  async #readInto(buffer: Uint8Array): Promise<number | null> {
    if (this.#closed) throw closedHere();
    try {
      return await this.#conn.read(buffer);
    } catch (error) {
      throw this.#closed ? closedHere() : fromSystem(error, "cannot read");
    }
  }

  carryTo(sink: Conn, carriage: Carriage): boolean {
    if (this.#reading) throw new TypeError("a read is already under way");
    this.#reading = true;
    this.#carry(sink, carriage);
    return true;
  }

  /** One buffer is read into and written from, as large as the traffic asks. */
  async #carry(sink: Conn, carriage: Carriage): Promise<void> {
    let buffer = buffers.small();
    for (;;) {
      let count: number | null;
      try {
        count = await this.#readInto(buffer);
      } catch (error) {
        buffers.giveUp(buffer);
        this.#reading = false;
        return carriage.failed(error);
      }
      if (count === null) {
        buffers.putBack(buffer);
        this.#reading = false;
        return carriage.ended();
      }
      try {
        await sink.write(buffer.subarray(0, count));
      } catch (error) {
        buffers.giveUp(buffer);
        this.#reading = false;
        return carriage.sinkBroken(error);
      }
      carriage.moved(count);
      buffer = sink instanceof StdioConn
        ? fittingOutput(buffer, count)
        : buffers.fitting(buffer, count);
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.run(() => this.#writeAll(bytes));
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    try {
      for (let rest = bytes; rest.length > 0;) {
        if (this.#closed) throw closedHere();
        rest = rest.subarray(await this.#conn.write(rest));
      }
    } catch (error) {
      throw this.#closed ? closedHere() : fromSystem(error, "cannot write");
    }
  }

  async closeWrite(): Promise<void> {
    await this.#writes.settled();
    if (this.#closed) return;
    try {
      await this.#conn.closeWrite();
    } catch (error) {
      if (!this.#closed) throw fromSystem(error, "cannot end");
    }
  }

  close(): void {
    if (this.#closed) return;
    if (this.#writes.idle) this.abort();
    else this.#writes.settled().then(() => this.abort());
  }

  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}

/** There is one standard output, so that its buffer need not be shared. */
function fittingOutput(buffer: Uint8Array, count: number): Uint8Array {
  const isFull = count === buffer.length && count < OUTPUT_BUFFER;
  return isFull ? new Uint8Array(OUTPUT_BUFFER) : buffer;
}
