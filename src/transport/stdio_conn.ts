import type { Endpoint } from "../endpoint.ts";
import { fromSystem } from "./errno.ts";
import { closedHere, UNNAMED } from "./net_conn.ts";
import { StreamConn } from "./stream_conn.ts";
import { WriteQueue } from "./write_queue.ts";

/** A runtime's way to standard input and output, by descriptor. */
export interface Stdio {
  /** Bytes read; null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Bytes taken, which may be fewer than given. */
  write(bytes: Uint8Array): Promise<number>;
  closeInput(): void;
  /** Really closes it, so that whoever reads it sees the end. */
  closeOutput(): void;
}

const BUFFER = 64 * 1024;

/** This program's standard input and output as one connection. */
export class StdioConn extends StreamConn {
  readonly local: Endpoint = UNNAMED;
  readonly remote: Endpoint = UNNAMED;
  #stdio: Stdio;
  #writes = new WriteQueue();
  #ended = false;
  #closed = false;

  constructor(stdio: Stdio) {
    super();
    this.#stdio = stdio;
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#closed) throw closedHere();
    const buffer = new Uint8Array(BUFFER);
    try {
      const count = await this.#stdio.read(buffer);
      return count === null ? null : buffer.subarray(0, count);
    } catch (error) {
      throw this.#closed ? closedHere() : fromSystem(error, "cannot read");
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.run(async () => {
      try {
        for (let rest = bytes; rest.length > 0;) {
          rest = rest.subarray(await this.#stdio.write(rest));
        }
      } catch (error) {
        throw fromSystem(error, "cannot write");
      }
    });
  }

  async closeWrite(): Promise<void> {
    await this.#writes.settled();
    if (this.#ended) return;
    this.#ended = true;
    this.#stdio.closeOutput();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stdio.closeInput();
  }

  abort(): void {
    this.close();
  }
}
