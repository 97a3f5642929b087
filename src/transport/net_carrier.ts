import { fromSystem } from "./errno.ts";
import type { Inbox, Receiver } from "./inbox.ts";
import type { QuietSocket } from "./quiet_socket.ts";
import type { Carriage } from "./transport.ts";

/** Writes to one socket of `node:net` what another one receives. */
export class NetCarrier implements Receiver {
  #source: Inbox;
  #sink: QuietSocket;
  #carriage: Carriage;
  /** Bytes given to the sink that it has not written yet. */
  #pending = 0;
  #isWriting = false;
  #hasEnded = false;
  #isBroken = false;

  constructor(source: Inbox, sink: QuietSocket, carriage: Carriage) {
    this.#source = source;
    this.#sink = sink;
    this.#carriage = carriage;
  }

  data(bytes: Uint8Array): boolean {
    this.#pending += bytes.length;
    this.#sink.write(bytes, this.#written);
    // What the system has not taken at once is still written from.
    this.#isWriting = this.#sink.writableLength > 0;
    return !this.#isWriting;
  }

  end(): void {
    this.#hasEnded = true;
    if (this.#pending === 0) this.#carriage.ended();
  }

  fail(error: Error): void {
    this.#carriage.failed(error);
  }

  /** One function for all writes: how many bytes it was about is counted. */
  #written = (streamError?: Error | null): void => {
    const error = this.#sink.writeError ?? streamError;
    if (this.#isBroken) return;
    if (error) {
      this.#isBroken = true;
      this.#source.keep();
      return this.#carriage.sinkBroken(fromSystem(error, "cannot write"));
    }
    const count = this.#pending - this.#sink.writableLength;
    this.#pending -= count;
    if (count > 0) {
      this.#carriage.moved(count);
      if (this.#hasEnded && this.#pending === 0) this.#carriage.ended();
    }
    if (!this.#isWriting || this.#sink.writableLength > 0) return;
    this.#isWriting = false;
    this.#source.release();
  };
}
