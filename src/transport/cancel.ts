/** Who is told to stop: itself, as the DOM has it, or a function of it. */
export type Listener = { handleEvent(): void } | (() => void);

/**
 * What is listened to for the word to stop: an `AbortSignal`, or what does as
 * much for one connection at a fraction of its cost.
 */
export interface Cancel {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(
    type: "abort",
    listener: Listener,
    options?: { once: true },
  ): void;
  removeEventListener(type: "abort", listener: Listener): void;
}

/** The end of one thing, foretold to those who listen. It happens once. */
export class Ending implements Cancel {
  aborted = false;
  reason: unknown;
  /** Most have one listener at a time, which needs no list. */
  #first: Listener | undefined;
  #others: Listener[] | undefined;
  #controller: AbortController | undefined;

  abort(reason?: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const first = this.#first;
    const others = this.#others ?? [];
    this.#first = this.#others = undefined;
    if (first !== undefined) tell(first);
    for (const listener of others) tell(listener);
    this.#controller?.abort(reason);
  }

  /** Each listener is called once; not at all if it has ended before. */
  addEventListener(_type: "abort", listener: Listener): void {
    if (this.aborted) return;
    if (this.#first === undefined) this.#first = listener;
    else (this.#others ??= []).push(listener);
  }

  removeEventListener(_type: "abort", listener: Listener): void {
    if (this.#first === listener) this.#first = undefined;
    const at = this.#others?.indexOf(listener) ?? -1;
    if (at >= 0) this.#others!.splice(at, 1);
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

function tell(listener: Listener): void {
  if (typeof listener === "function") listener();
  else listener.handleEvent();
}
