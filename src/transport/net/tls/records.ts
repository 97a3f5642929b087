import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import { TcpmuxError } from "../../../errors.ts";
import type { Conn } from "../../transport.ts";
import { NetConn, type QuietSocket } from "../conn.ts";

type Done = (error?: Error | null) => void;

/** What a TLS socket is put upon. */
export type Outer = QuietSocket | RecordStream;

/**
 * What TLS goes on with: the socket of a connection, or a stream of its bytes.
 *
 * @param read bytes that were read of it already
 */
export function outerOf(conn: Conn, read: Uint8Array): Outer {
  if ("Deno" in globalThis) return new RecordStream(conn, read);
  if (conn instanceof NetConn) return conn.handOver(read);
  throw new TcpmuxError("unsupported", "TLS goes only over sockets");
}

/**
 * A connection as a stream of TLS records, for Deno: a TLS socket of Deno's that
 * was paused never tells its end. So that is not paused, and gets no records
 * instead while nobody reads.
 */
export class RecordStream extends Duplex {
  readonly #conn: Conn;
  /** Records that the stream begins with. */
  #first: Uint8Array | undefined;
  #isWanted = false;
  #isHeld = false;
  #isReading = false;

  constructor(conn: Conn, first: Uint8Array) {
    super({ allowHalfOpen: true });
    this.#conn = conn;
    this.#first = first.length > 0 ? first : undefined;
  }

  /** Gives no more records until `resumeInput`. */
  pauseInput(): void {
    this.#isHeld = true;
  }

  resumeInput(): void {
    this.#isHeld = false;
    this.#go();
  }

  override _read(): void {
    this.#isWanted = true;
    this.#go();
  }

  async #go(): Promise<void> {
    if (this.#isReading || this.#isHeld || !this.#isWanted) return;
    this.#isReading = true;
    try {
      const first = this.#first;
      this.#first = undefined;
      const bytes = first ?? await this.#conn.read();
      this.#isWanted = false;
      this.#isReading = false;
      this.push(bytes === null ? null : Buffer.from(bytes));
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  override _write(bytes: Uint8Array, _: string, done: Done): void {
    this.#conn.write(bytes).then(() => done(), done);
  }

  override _final(done: Done): void {
    this.#conn.closeWrite().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: Done): void {
    if (error === null) this.#conn.close();
    else this.#conn.abort();
    done(error);
  }
}
