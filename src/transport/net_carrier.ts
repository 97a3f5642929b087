import { fromSystem } from "./errno.ts";
import type { Inbox, Receiver } from "./inbox.ts";
import type { Carriage, Conn } from "./transport.ts";

/** The members of a stream of Node's that a carrier writes by, and no more. */
export interface Outlet {
  write(bytes: Uint8Array, written: (error?: Error | null) => void): unknown;
  /** Bytes that the system has not taken yet. */
  readonly writableLength: number;
  /** Why it takes no more, where the stream itself does not tell. */
  readonly writeError?: Error | undefined;
}

/** A connection that writes all it is given to such a stream. */
export interface OutletConn extends Conn {
  readonly outlet: Outlet;
}

/** @returns whether the sink is one that can be poured into */
export function pour(inbox: Inbox, sink: Conn, carriage: Carriage): boolean {
  if (!("outlet" in sink)) return false;
  const { outlet } = sink as OutletConn;
  inbox.pourInto(new NetCarrier(inbox, outlet, carriage));
  return true;
}

/** Writes to one stream of Node's, straight away, what another one receives. */
class NetCarrier implements Receiver {
  #source: Inbox;
  #sink: Outlet;
  #carriage: Carriage;
  /** Bytes given to the sink that it has not written yet. */
  #pending = 0;
  #isWriting = false;
  #hasEnded = false;
  #isBroken = false;

  constructor(source: Inbox, sink: Outlet, carriage: Carriage) {
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
