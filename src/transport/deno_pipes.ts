import type { Endpoint } from "../endpoint.ts";
import { SMALL_BUFFER } from "./buffers.ts";
import { closedHere, fromSystem } from "./errno.ts";
import { UNNAMED } from "./net_conn.ts";
import { StreamConn } from "./stream_conn.ts";
import type { Carriage, Conn, ProgramStdio } from "./transport.ts";

/** What a pipe holds, and so the most that one read of it gives. */
const PIPE_SIZE = 64 * 1024;

/** Bytes of a buffer that is the reader's to keep. */
const KEPT_BUFFER = 16 * 1024;

/** The standard input and output of a program as one connection. */
export class DenoPipes extends StreamConn implements ProgramStdio {
  readonly local: Endpoint = UNNAMED;
  readonly remote: Endpoint = UNNAMED;
  #output: ReadableStreamBYOBReader;
  #input: WritableStreamDefaultWriter<Uint8Array>;
  #writing = new Set<(error: Error) => void>();
  #endRead: ((end: null) => void) | undefined;
  #over = false;
  #closed = false;

  constructor(
    output: ReadableStream<Uint8Array>,
    input: WritableStream<Uint8Array>,
  ) {
    super();
    this.#output = output.getReader({ mode: "byob" });
    this.#input = input.getWriter();
    this.#input.closed.catch(() => {}); // each write reports its own failure
  }

  read(): Promise<Uint8Array | null> {
    return this.#readInto(new Uint8Array(KEPT_BUFFER));
  }

  /** Gives these bytes back, filled: the buffer itself is another one then. */
  #readInto(
    buffer: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#over) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#endRead = resolve;
      this.#fill(buffer).then((bytes) => {
        this.#endRead = undefined;
        this.#over ||= bytes === null;
        resolve(bytes);
      }, reject);
    });
  }

  async #fill(
    buffer: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      const { value, done } = await this.#output.read(buffer);
      if (this.#closed) throw closedHere();
      return done ? null : value;
    } catch (error) {
      throw fromSystem(error, "cannot read");
    }
  }

  carryTo(sink: Conn, carriage: Carriage): boolean {
    this.#carry(sink, carriage);
    return true;
  }

  /** One buffer is read into and written from, as large as the traffic asks. */
  async #carry(sink: Conn, carriage: Carriage): Promise<void> {
    let buffer: Uint8Array<ArrayBuffer> = new Uint8Array(SMALL_BUFFER);
    for (;;) {
      const size = buffer.length;
      let bytes: Uint8Array<ArrayBuffer> | null;
      try {
        bytes = await this.#readInto(buffer);
      } catch (error) {
        return carriage.failed(error);
      }
      if (bytes === null) return carriage.ended();
      try {
        await sink.write(bytes);
      } catch (error) {
        return carriage.sinkBroken(error);
      }
      const count = bytes.length;
      carriage.moved(count);
      buffer = count === size && size < PIPE_SIZE
        ? new Uint8Array(PIPE_SIZE)
        : count < size / 64
        ? new Uint8Array(SMALL_BUFFER)
        : new Uint8Array(bytes.buffer);
    }
  }

  endRead(): boolean {
    if (this.#endRead === undefined) return this.#over;
    this.#over = true;
    this.#endRead(null);
    return true;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#unlessAborted(this.#input.write(bytes));
    } catch (error) {
      throw fromSystem(error, "cannot write to the program");
    }
  }

  async closeWrite(): Promise<void> {
    // Where it is gone already, that is the same end.
    await this.#unlessAborted(this.#input.close()).catch(() => {});
  }

  /** Aborting a writer waits for the write under way; ours does not. */
  #unlessAborted(writing: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writing.add(reject);
      writing.then(resolve, reject).finally(() => this.#writing.delete(reject));
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#input.close().catch(() => {});
    this.#output.cancel().catch(() => {});
  }

  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const reject of this.#writing) reject(closedHere());
    this.#input.abort().catch(() => {});
    this.#output.cancel().catch(() => {});
  }
}
