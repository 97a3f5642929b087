/**
 * What is listened to for the word to stop: an `AbortSignal`, or what does as
 * much for one connection at a fraction of its cost.
 */
export interface Cancel {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(
    type: "abort",
    listener: () => void,
    options?: { once: true },
  ): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** The end of one thing, foretold to those who listen. It happens once. */
export class Ending implements Cancel {
  aborted = false;
  reason: unknown;
  #listeners: (() => void)[] | undefined;
  #controller: AbortController | undefined;

  abort(reason?: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    for (const listener of listeners ?? []) listener();
    this.#controller?.abort(reason);
  }

  /** Each listener is called once; not at all if it has ended before. */
  addEventListener(_type: "abort", listener: () => void): void {
    if (!this.aborted) (this.#listeners ??= []).push(listener);
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    const at = this.#listeners?.indexOf(listener) ?? -1;
    if (at >= 0) this.#listeners!.splice(at, 1);
  }

  /** The same as a signal of the platform's, for whoever needs one. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.reason);
    }
    return this.#controller.signal;
  }
}
