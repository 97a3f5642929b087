import { PushbackConn } from "./pushback_conn.ts";
import type { Carried, Conn, Intake, Moved } from "./transport/transport.ts";

/** After the last word, how long and how much a client is still listened to. */
const LINGER_TIME = 2_000;
const LINGER_BYTES = 256 * 1024;

/**
 * The client's side of a session. It gives back first what was read beyond
 * the service line, counts bytes, and knows when the last one moved.
 */
export class ClientConn extends PushbackConn {
  /** Bytes of the service: neither the request line nor the reply. */
  bytesIn = 0;
  bytesOut = 0;
  /** When a byte last moved, by `performance.now()`. */
  lastActivity = performance.now();
  /** The read under way, so that `finish` can await it too. */
  #reading: Promise<Uint8Array | null> | undefined;
  /** The carrying of what the client sends: under way, or over. */
  #carrying: Promise<Carried> | undefined;
  #ended = false;
  #endingWrite: Promise<void> | undefined;
  #closed = false;

  /** What was read and written until now was the handshake. */
  beginService(): void {
    this.bytesIn = 0;
    this.bytesOut = 0;
    this.lastActivity = performance.now();
  }

  override async read(): Promise<Uint8Array | null> {
    const reading = super.read();
    this.#reading ??= reading;
    try {
      const bytes = await reading;
      if (bytes === null) this.#ended = true;
      else {
        this.bytesIn += bytes.length;
        this.lastActivity = performance.now();
      }
      return bytes;
    } finally {
      if (this.#reading === reading) this.#reading = undefined;
    }
  }

  override async write(bytes: Uint8Array): Promise<void> {
    await super.write(bytes);
    this.bytesOut += bytes.length;
    this.lastActivity = performance.now();
  }

  override carryTo(sink: Conn, moved: Moved): Promise<Carried> | undefined {
    const carrying = super.carryTo(sink, (count) => {
      this.bytesIn += count;
      this.lastActivity = performance.now();
      moved(count);
    });
    this.#carrying = carrying;
    return carrying;
  }

  override intake(): Intake {
    const { conn, moved } = super.intake();
    return {
      conn,
      moved: (count) => {
        this.bytesOut += count;
        this.lastActivity = performance.now();
        moved(count);
      },
    };
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
      await this.#drain();
    } catch {
      // The client is gone: there is nobody left to tell.
    } finally {
      this.close();
    }
  }

  async #drain(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), LINGER_TIME);
    });
    try {
      if (this.#carrying !== undefined) {
        const end = await Promise.race([this.#carrying, timeout]);
        if (end === null || end.how === "ended") return;
      }
      let left = LINGER_BYTES;
      while (!this.#ended && left > 0) {
        const reading = this.#reading ?? super.read();
        reading.catch(() => {}); // it may lose the race and fail later
        const bytes = await Promise.race([reading, timeout]);
        if (bytes === null) return;
        left -= bytes.length;
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
