/**
 * Reloads, one at a time, in the order in which they are asked for. Those that
 * are asked for while one is under way, which may have missed the latest news,
 * share the next one.
 */
export class Reloads {
  readonly #reload: () => Promise<void>;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(reload: () => Promise<void>) {
    this.#reload = reload;
  }

  /** Settles as a reload does that begins now or later. */
  ask(): Promise<void> {
    if (this.#current === undefined) return this.#begin();
    const begin = () => {
      this.#next = undefined;
      return this.#begin();
    };
    return this.#next ??= this.#current.then(begin, begin);
  }

  #begin(): Promise<void> {
    const current = this.#reload().finally(() => {
      if (this.#current === current) this.#current = undefined;
    });
    return this.#current = current;
  }
}
