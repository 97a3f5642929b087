import type { Endpoint } from "../endpoint.ts";
import { closedHere, fromSystem } from "./errno.ts";
import { UNNAMED } from "./net_conn.ts";
import { StreamConn } from "./stream_conn.ts";
import type { Carriage, Conn } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** A runtime's way to standard input and output, by descriptor. */
export interface Stdio {
  /**
   * The next bytes, in the buffer or elsewhere; null at the end. Elsewhere
   * they stay as they are until the next read but one.
   */
  read(buffer: Uint8Array): Promise<Uint8Array | null>;
  /** Bytes taken of these, in their order; may be fewer than there are. */
  write(pieces: readonly Uint8Array[]): Promise<number>;
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
  /** A read that nobody has asked for yet. */
  #ahead: Promise<Uint8Array | null> | undefined;
  #ended = false;
  #closed = false;

  constructor(stdio: Stdio) {
    super();
    this.#stdio = stdio;
  }

  async read(): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(BUFFER);
    const ahead = this.#ahead ?? this.#readInto(buffer);
    this.#ahead = undefined;
    const bytes = await ahead;
    return bytes?.buffer === buffer.buffer ? bytes : bytes?.slice() ?? null;
  }

  carryTo(sink: Conn, carriage: Carriage): boolean {
    this.#carry(sink, carriage).catch((error) => carriage.failed(error));
    return true;
  }

  /** Reads one piece ahead, so that reading and writing go on side by side. */
  async #carry(sink: Conn, carriage: Carriage): Promise<void> {
    let [buffer, other] = [new Uint8Array(BUFFER), new Uint8Array(BUFFER)];
    for (let reading = this.read();;) {
      const bytes = await reading;
      if (bytes === null) return carriage.ended();
      [buffer, other] = [other, buffer];
      reading = this.#readInto(buffer);
      reading.catch(() => {}); // awaited when this piece is written
      try {
        await sink.write(bytes);
      } catch (error) {
        this.#ahead = reading;
        return carriage.sinkBroken(error);
      }
      carriage.moved(bytes.length);
    }
  }

  async #readInto(buffer: Uint8Array): Promise<Uint8Array | null> {
    if (this.#closed) throw closedHere();
    try {
      return await this.#stdio.read(buffer);
    } catch (error) {
      throw this.#closed ? closedHere() : fromSystem(error, "cannot read");
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.writeAll([bytes]);
  }

  /** Writes these in as few steps as the runtime can. */
  writeAll(pieces: readonly Uint8Array[]): Promise<void> {
    return this.#writes.run(async () => {
      try {
        for (let rest = behind(pieces, 0); rest.length > 0;) {
          rest = behind(rest, await this.#stdio.write(rest));
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

/** What is left of these when so many bytes of them are taken. */
function behind(pieces: readonly Uint8Array[], taken: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let count = taken;
  for (const piece of pieces) {
    if (count < piece.length) rest.push(piece.subarray(count));
    count = Math.max(0, count - piece.length);
  }
  return rest;
}
