import { after, type Timeout } from "./timers.ts";
import type { Cancel } from "./transport/cancel.ts";

/**
 * Work that settles one promise, once. A time and a word to stop may end it,
 * and it lets go of both when it is over. It is told by them itself, so that
 * none of it takes a function or a promise of its own.
 */
export abstract class Settling<T> {
  #resolve!: (value: T | PromiseLike<T>) => void;
  #reject!: (error: unknown) => void;
  #over = false;
  #timeout: Timeout | undefined;
  #cancel: Cancel | undefined;

  /** To be called once. What `begin` throws rejects it. */
  start(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.begin();
    });
  }

  protected abstract begin(): void;

  /** The time that it was given is over. */
  abstract expired(): void;

  /** The word to stop has come. */
  handleEvent(): void {}

  /** Nobody waits for it any more. */
  get isOver(): boolean {
    return this.#over;
  }

  /** @param milliseconds until it has expired; 0 for never */
  protected limit(milliseconds: number): void {
    if (milliseconds > 0) this.#timeout = after(milliseconds, this);
  }

  /** @param cancel from which the word to stop may come */
  protected heed(cancel: Cancel | undefined): void {
    cancel?.addEventListener("abort", this, { once: true });
    this.#cancel = cancel;
  }

  /** Only the first of this and `reject` counts. */
  protected resolve(value: T | PromiseLike<T>): void {
    this.#end();
    this.#resolve(value);
  }

  protected reject(error: unknown): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#over = true;
    this.#timeout?.cancel();
    this.#cancel?.removeEventListener("abort", this);
  }
}
