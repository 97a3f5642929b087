import type { Inbox, Receiver } from "./inbox.ts";
import type { StdioConn } from "./stdio_conn.ts";
import type { Carriage } from "./transport.ts";

/** Bytes that wait to be written at which the source is held back. */
const MOST = 1024 * 1024;

/**
 * Writes to standard output what a connection receives. Each write goes to a
 * thread and back, so what comes meanwhile is gathered for the next.
 */
export class BunOutputCarrier implements Receiver {
  #source: Inbox;
  #sink: StdioConn;
  #carriage: Carriage;
  #waiting: Uint8Array[] = [];
  #count = 0;
  #isWriting = false;
  #isHeld = false;
  /** What is to be told once all that waits is written. */
  #over: (() => void) | undefined;

  constructor(source: Inbox, sink: StdioConn, carriage: Carriage) {
    this.#source = source;
    this.#sink = sink;
    this.#carriage = carriage;
  }

  data(bytes: Uint8Array): boolean {
    this.#waiting.push(bytes);
    this.#count += bytes.length;
    if (!this.#isWriting) this.#write();
    this.#isHeld = this.#count >= MOST;
    return !this.#isHeld;
  }

  end(): void {
    this.#isOver(() => this.#carriage.ended());
  }

  fail(error: Error): void {
    this.#isOver(() => this.#carriage.failed(error));
  }

  #isOver(tell: () => void): void {
    if (this.#isWriting) this.#over = tell;
    else tell();
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const [pieces, count] = [this.#waiting, this.#count];
      [this.#waiting, this.#count] = [[], 0];
      try {
        await this.#sink.writeAll(pieces);
      } catch (error) {
        this.#source.keep();
        return this.#carriage.sinkBroken(error);
      }
      this.#carriage.moved(count);
      if (!this.#isHeld) continue;
      this.#isHeld = false;
      this.#source.release();
    }
    this.#isWriting = false;
    this.#over?.();
  }
}
