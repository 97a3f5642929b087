import type { Socket } from "node:net";
import { fromSystem } from "./errno.ts";
import type { Inbox, Receiver } from "./inbox.ts";
import { type Carried, ENDED, type Moved } from "./transport.ts";

/** Who is told what becomes of it. */
export interface Carriage {
  moved: Moved;
  resolve(end: Carried): void;
  reject(error: Error): void;
  /** What a write failed of, which the stream itself does not say. */
  whyBroken(): Error | undefined;
}

/** Writes to one socket of `node:net` what another one receives. */
export class NetCarrier implements Receiver {
  #source: Inbox;
  #sink: Socket;
  #told: Carriage;
  /** Bytes given to the sink that it has not written yet. */
  #pending = 0;
  #isWriting = false;

  constructor(source: Inbox, sink: Socket, told: Carriage) {
    this.#source = source;
    this.#sink = sink;
    this.#told = told;
  }

  data(bytes: Uint8Array): boolean {
    this.#pending += bytes.length;
    this.#sink.write(bytes, this.#written);
    // What the system has not taken at once is still written from.
    this.#isWriting = this.#sink.writableLength > 0;
    return !this.#isWriting;
  }

  end(): void {
    this.#told.resolve(ENDED);
  }

  fail(error: Error): void {
    this.#told.reject(error);
  }

  /** One function for all writes: how many bytes it was about is counted. */
  #written = (streamError?: Error | null): void => {
    const error = this.#told.whyBroken() ?? streamError;
    if (error) {
      this.#source.keep();
      const why = fromSystem(error, "cannot write");
      return this.#told.resolve({ how: "sink broken", error: why });
    }
    const count = this.#pending - this.#sink.writableLength;
    this.#pending -= count;
    if (count > 0) this.#told.moved(count);
    if (!this.#isWriting || this.#sink.writableLength > 0) return;
    this.#isWriting = false;
    this.#source.release();
  };
}
