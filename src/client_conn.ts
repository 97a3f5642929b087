import { PushbackConn } from "./pushback_conn.ts";
import { after } from "./timeouts.ts";
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
export class ClientConn extends PushbackConn implements Meter {
  /** Bytes of the service: neither the request line nor the reply. */
  bytesIn = 0;
  bytesOut = 0;
  /** When a byte last moved, by `performance.now()`. */
  lastActivity = performance.now();
  /** What is under way of the client's sending, so that `finish` waits too. */
  #reading: Promise<Uint8Array | null> | undefined;
  #isCarrying = false;
  #whenCarried: (() => void) | undefined;
  #ended = false;
  #endingWrite: Promise<void> | undefined;
  #closed = false;

  /** What was read and written until now was the handshake. */
  beginService(): void {
    this.bytesIn = 0;
    this.bytesOut = 0;
    this.lastActivity = performance.now();
  }

  override read(): Promise<Uint8Array | null> {
    const reading = super.read();
    this.#reading ??= reading;
    const over = () => {
      if (this.#reading === reading) this.#reading = undefined;
    };
    return reading.then((bytes) => {
      over();
      if (bytes === null) this.#ended = true;
      else this.received(bytes.length);
      return bytes;
    }, (error) => {
      over();
      throw error;
    });
  }

  override write(bytes: Uint8Array): Promise<void> {
    return super.write(bytes).then(() => this.sent(bytes.length));
  }

  override carryTo(sink: Conn, carriage: Carriage): boolean {
    carriage.source = this;
    this.#isCarrying = true;
    if (super.carryTo(sink, carriage)) return true;
    carriage.source = undefined;
    this.#isCarrying = false;
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
    this.#isCarrying = false;
    if (ended) this.#ended = true;
    this.#whenCarried?.();
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
  async finish(): Promise<void> {
    if (this.#closed) return;
    try {
      await this.closeWrite();
      if (!this.#ended) await this.#linger();
    } catch {
      // The client is gone: there is nobody left to tell.
    } finally {
      this.close();
    }
  }

  #linger(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timeout = after(LINGER_TIME, resolve);
      this.#readOut().then(() => {
        timeout.cancel();
        resolve();
      }, (error) => {
        timeout.cancel();
        reject(error);
      });
    });
  }

  async #readOut(): Promise<void> {
    if (this.#isCarrying) {
      await new Promise<void>((carried) => this.#whenCarried = carried);
    }
    for (let left = LINGER_BYTES; !this.#ended && left > 0;) {
      const bytes = await (this.#reading ?? super.read());
      if (bytes === null) return;
      left -= bytes.length;
    }
  }
}
