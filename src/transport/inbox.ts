import { closedHere } from "./errno.ts";
import { type Reader, tell } from "./reader.ts";

/** What an {@linkcode Inbox} holds back when it is full. */
export interface Source {
  pause(): void;
  resume(): void;
}

/** Who takes all that comes, without asking for each piece. */
export interface Receiver {
  /**
   * @returns whether it is done with these bytes and more may come at once;
   * if not, `release` tells when
   */
  data(bytes: Uint8Array): boolean;
  end(): void;
  fail(error: Error): void;
}

/**
 * Turns a source that pushes into one that is pulled from, or that pours into
 * a receiver that may call a halt. It pauses the source when bytes lie
 * unread, so that the peer is held back by TCP instead of filling our memory.
 */
export class Inbox {
  #source: Source;
  #limit: number;
  #chunks: Uint8Array[] | undefined;
  #queued = 0;
  #paused: boolean;
  #ended = false;
  #closed = false;
  #error: Error | undefined;
  #reader: Reader | undefined;
  #receiver: Receiver | undefined;
  /** Whether the receiver has called a halt. */
  #held = false;

  /**
   * @param limit unread bytes at which the source is paused
   * @param paused whether the source starts out paused
   */
  constructor(source: Source, limit = 64 * 1024, paused = false) {
    this.#source = source;
    this.#limit = limit;
    this.#paused = paused;
  }

  /** Bytes arrived. */
  push(bytes: Uint8Array): void {
    if (this.over || bytes.length === 0) return;
    if (this.#receiver !== undefined && !this.#held) {
      if (!this.#receiver.data(bytes)) this.#hold();
      return;
    }
    const reader = this.#takeReader();
    if (reader !== undefined) return reader.took(bytes);
    (this.#chunks ??= []).push(bytes);
    this.#queued += bytes.length;
    if (this.#queued >= this.#limit) this.#pause();
  }

  /** The stream ended in good order. */
  end(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    this.#takeReader()?.took(null);
    if (!this.#held) this.#takeReceiver()?.end();
  }

  /**
   * The same, unless what arrived is still held back.
   *
   * @returns whether it is over
   */
  endIfAwaited(): boolean {
    const isAwaited = this.#reader !== undefined || this.isPouring;
    if (isAwaited && this.#queued === 0) this.end();
    return this.over;
  }

  /** The stream broke. What arrived before is still read first. */
  fail(error: Error): void {
    if (this.over) return;
    this.#error = error;
    this.#takeReader()?.failed(error);
    if (!this.#held) this.#takeReceiver()?.fail(error);
  }

  /** Whether what arrives goes straight to a receiver. */
  get isPouring(): boolean {
    return this.#receiver !== undefined && !this.#held;
  }

  /** Whether nothing more will arrive. */
  get over(): boolean {
    return this.#ended || this.#closed || this.#error !== undefined;
  }

  /** Whether it is in order, nothing lies unread and nobody reads. */
  get isIdle(): boolean {
    return !this.#closed && this.#error === undefined && this.#queued === 0 &&
      this.#reader === undefined && this.#receiver === undefined;
  }

  /** Whether it is idle, and what comes does come. */
  get isFlowing(): boolean {
    return this.isIdle && !this.#ended && !this.#paused;
  }

  /** Nobody reads any more: what lies here is dropped. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#chunks = undefined;
    this.#queued = 0;
    this.#held = false;
    if (this.#reader === undefined && this.#receiver === undefined) return;
    const error = this.#error ??= closedHere();
    this.#takeReader()?.failed(error);
    this.#takeReceiver()?.fail(error);
  }

  read(): Promise<Uint8Array | null> {
    const bytes = this.#chunks?.shift();
    if (bytes !== undefined) {
      this.#queued -= bytes.length;
      if (this.#queued === 0) this.#resume();
      return Promise.resolve(bytes);
    }
    if (this.#closed) return Promise.reject(this.#error ?? closedHere());
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(null);
    if (this.#reader !== undefined || this.#receiver !== undefined) {
      return Promise.reject(new TypeError("a read is already under way"));
    }
    this.#resume();
    return new Promise((resolve, reject) => {
      this.#reader = { took: resolve, failed: reject };
    });
  }

  /** As `read`, but tells `reader`. */
  readTo(reader: Reader): void {
    const isBusy = this.#reader !== undefined || this.#receiver !== undefined;
    if (isBusy || this.over || this.#queued > 0) {
      return tell(this.read(), reader);
    }
    this.#reader = reader;
    this.#resume();
  }

  /** Hands over all that lies here and all that comes, to the very end. */
  pourInto(receiver: Receiver): void {
    if (this.#reader !== undefined || this.#receiver !== undefined) {
      throw new TypeError("a read is already under way");
    }
    this.#receiver = receiver;
    this.release();
  }

  /** The receiver wants more. */
  release(): void {
    this.#held = false;
    while (this.#receiver !== undefined) {
      const bytes = this.#chunks?.shift();
      if (bytes === undefined) break;
      this.#queued -= bytes.length;
      if (!this.#receiver.data(bytes)) return this.#hold();
    }
    if (this.#receiver === undefined) return; // it wants nothing any more
    this.#chunks = undefined;
    if (this.#closed) this.#takeReceiver()?.fail(this.#error ?? closedHere());
    else if (this.#error !== undefined) this.#takeReceiver()?.fail(this.#error);
    else if (this.#ended) this.#takeReceiver()?.end();
    else this.#resume();
  }

  /** Ends the pouring: what comes now is there to be read. */
  keep(): void {
    this.#receiver = undefined;
    this.#held = false;
  }

  #hold(): void {
    if (this.#receiver === undefined) return;
    this.#held = true;
    this.#pause();
  }

  #takeReader(): Reader | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }

  #takeReceiver(): Receiver | undefined {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    return receiver;
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#source.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#source.resume();
  }
}
