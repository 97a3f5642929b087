/** What an {@linkcode Inbox} holds back when it is full. */
export interface Source {
  pause(): void;
  resume(): void;
}

interface Waiter {
  resolve(bytes: Uint8Array | null): void;
  reject(error: Error): void;
}

/**
 * Turns a source that pushes into one that is pulled from. It pauses the
 * source when bytes lie unread, so that the peer is held back by TCP instead
 * of filling our memory.
 */
export class Inbox {
  #source: Source;
  #limit: number;
  #chunks: Uint8Array[] = [];
  #queued = 0;
  #paused: boolean;
  #ended = false;
  #error: Error | undefined;
  #waiter: Waiter | undefined;

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
    if (this.#error !== undefined || bytes.length === 0) return;
    const waiter = this.#takeWaiter();
    if (waiter !== undefined) return waiter.resolve(bytes);
    this.#chunks.push(bytes);
    this.#queued += bytes.length;
    if (this.#queued >= this.#limit) this.#pause();
  }

  /** The stream ended in good order. */
  end(): void {
    this.#ended = true;
    this.#takeWaiter()?.resolve(null);
  }

  /**
   * The stream broke. What arrived before is still read first, unless
   * `discard` says that nobody wants it.
   */
  fail(error: Error, discard = false): void {
    if (discard) {
      this.#chunks = [];
      this.#queued = 0;
    } else if (this.#ended) return;
    this.#error ??= error;
    this.#takeWaiter()?.reject(this.#error);
  }

  read(): Promise<Uint8Array | null> {
    const bytes = this.#chunks.shift();
    if (bytes !== undefined) {
      this.#queued -= bytes.length;
      if (this.#queued === 0) this.#resume();
      return Promise.resolve(bytes);
    }
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(null);
    if (this.#waiter !== undefined) {
      return Promise.reject(new TypeError("a read is already under way"));
    }
    this.#resume();
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  #takeWaiter(): Waiter | undefined {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    return waiter;
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
