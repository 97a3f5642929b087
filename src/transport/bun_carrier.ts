import type { Inbox, Receiver } from "./inbox.ts";
import type { Carriage } from "./transport.ts";

/** What bytes can be offered to, without a promise. */
export interface Outlet {
  /**
   * Writes what the kernel takes right now.
   *
   * @returns how many bytes that was
   * @throws {TcpmuxError} as `write` rejects
   */
  offer(bytes: Uint8Array): number;
  /** Calls once, when the kernel takes bytes again or never will. */
  whenDrained(waiting: { drained(): void }): void;
}

/** Bytes of a buffer that is worth giving back before the next collection. */
const LARGE = 16 * 1024;

/**
 * Frees the memory of bytes that have been written. Bun reads into memory that
 * is new each time, and what comes next is to lie there again, where the
 * processor's caches still have it: see bench/NOTES.md.
 *
 * @param bytes nobody's any more, like those before them in their buffer
 */
export function giveBack(bytes: Uint8Array): void {
  // Small pieces have no buffer until one asks for it.
  if (bytes.length < LARGE && bytes.byteOffset === 0) return;
  const { buffer } = bytes;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < LARGE) return;
  const end = bytes.byteOffset + bytes.length;
  if (end === buffer.byteLength) buffer.transfer(0);
}

/** Writes to one connection, straight away, what another one receives. */
export class BunCarrier implements Receiver {
  #source: Inbox;
  #sink: Outlet;
  #carriage: Carriage;
  /** What the kernel has not taken yet. */
  #rest: Uint8Array | undefined;

  constructor(source: Inbox, sink: Outlet, carriage: Carriage) {
    this.#source = source;
    this.#sink = sink;
    this.#carriage = carriage;
  }

  data(bytes: Uint8Array): boolean {
    let count: number;
    try {
      count = this.#sink.offer(bytes);
    } catch (error) {
      this.#source.keep();
      this.#carriage.sinkBroken(error);
      return true;
    }
    if (count > 0) this.#carriage.moved(count);
    if (count === bytes.length) {
      giveBack(bytes);
      return true;
    }
    this.#rest = bytes.subarray(count);
    this.#sink.whenDrained(this);
    return false;
  }

  drained(): void {
    const rest = this.#rest;
    if (rest === undefined) return;
    this.#rest = undefined;
    if (this.data(rest)) this.#source.release();
  }

  end(): void {
    this.#carriage.ended();
  }

  fail(error: Error): void {
    this.#rest = undefined;
    this.#carriage.failed(error);
  }
}
