import { PushbackConn } from "./pushback_conn.ts";
import { Both, linger } from "./linger.ts";
import { DONE } from "./transport/done.ts";
import type { Reader } from "./transport/reader.ts";
import type {
  Carriage,
  Conn,
  Detached,
  Intake,
  Meter,
} from "./transport/transport.ts";

/** After the last word, how long and how much a client is still listened to. */
const LINGER_TIME = 2_000;
const LINGER_BYTES = 256 * 1024;

/**
 * The client's side of a session. It gives back first what was read beyond
 * the service line, counts bytes, and knows when the last one moved.
 */
export class ClientConn extends PushbackConn implements Meter, Reader {
  /** Bytes of the service: neither the request line nor the reply. */
  bytesIn = 0;
  bytesOut = 0;
  /** When a byte last moved, by `performance.now()`. */
  lastActivity = performance.now();
  /** Who reads just now; or who will, when what is carried is over. */
  #reader: Reader | undefined;
  /** Writes under way. */
  #writing = 0;
  /** Whether it is read from step by step, carried, or has ended. */
  #input: "read" | "carried" | "ended" = "read";
  #endingWrite: Promise<void> | undefined;
  #closed = false;

  /**
   * What was read and written until now was the handshake.
   *
   * @param said bytes of the service that went with it
   */
  beginService(said = 0): void {
    this.bytesIn = 0;
    this.bytesOut = said;
    this.lastActivity = performance.now();
  }

  override read(): Promise<Uint8Array | null> {
    return new Promise((resolve, reject) => {
      this.readTo({ took: resolve, failed: reject });
    });
  }

  override readTo(reader: Reader): void {
    if (this.#reader !== undefined) {
      return reader.failed(new TypeError("a read is already under way"));
    }
    this.#reader = reader;
    super.readTo(this);
  }

  /** For who reads just now. */
  took(bytes: Uint8Array | null): void {
    if (bytes === null) this.#input = "ended";
    else this.received(bytes.length);
    this.#takeReader()?.took(bytes);
  }

  failed(error: unknown): void {
    this.#takeReader()?.failed(error);
  }

  #takeReader(): Reader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }

  /** As `write`, but of the handshake: it is not counted. */
  say(bytes: Uint8Array): Promise<void> {
    return bytes.length === 0 ? DONE : super.write(bytes);
  }

  override async write(bytes: Uint8Array): Promise<void> {
    this.#writing++;
    try {
      await super.write(bytes);
    } finally {
      this.#writing--;
    }
    this.sent(bytes.length);
  }

  override carryTo(sink: Conn, carriage: Carriage): boolean {
    const before = this.#input;
    carriage.source = this;
    this.#input = "carried";
    if (super.carryTo(sink, carriage)) return true;
    carriage.source = undefined;
    this.#input = before;
    return false;
  }

  override intake(): Intake {
    return { conn: super.intake().conn, meter: this };
  }

  /** The connection's end is then another's: `finish` has nothing to do. */
  override detach(): Detached | undefined {
    const detached = super.detach();
    if (detached !== undefined) this.#closed = true;
    return detached;
  }

  received(count: number): void {
    this.bytesIn += count;
    this.lastActivity = performance.now();
  }

  sent(count: number): void {
    this.bytesOut += count;
    this.lastActivity = performance.now();
  }

  carried(ended: boolean): void {
    this.#input = ended ? "ended" : "read";
    if (this.#reader !== undefined) this.#readOutNext();
  }

  override closeWrite(): Promise<void> {
    return this.#endingWrite ??= super.closeWrite();
  }

  override close(): void {
    this.#closed = true;
    super.close();
  }

  override abort(): void {
    this.#closed = true;
    super.abort();
  }

  /**
   * Ends the connection so that what was written arrives. Closing with
   * unread input would reset the connection and take it away again, so the
   * input is read for a moment: bounded in time and in bytes.
   */
  finish(): Promise<void> {
    if (this.#closed) return DONE;
    if (this.#input !== "ended" || this.#writing > 0) {
      return this.#finishSlowly();
    }
    this.close();
    return DONE;
  }

  async #finishSlowly(): Promise<void> {
    try {
      await this.closeWrite();
      await linger(this, LINGER_TIME, LINGER_BYTES);
    } catch {
      // The client is gone: there is nobody left to tell.
    } finally {
      this.close();
    }
  }

  /** Reads what nobody counts, along with whoever is reading already. */
  readOut(reader: Reader): void {
    if (this.#input === "ended") return reader.took(null);
    const other = this.#reader;
    if (this.#input === "carried") this.#reader = reader;
    else if (other === undefined) super.readTo(reader);
    else this.#reader = new Both(other, reader);
  }

  /** After who drops what is left of what was carried. */
  #readOutNext(): void {
    const reader = this.#takeReader()!;
    queueMicrotask(() => this.readOut(reader));
  }
}
