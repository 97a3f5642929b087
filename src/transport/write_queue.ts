/** Runs writes one after the other, in the order in which they came. */
export class WriteQueue {
  #last: Promise<void> | undefined;

  /** Whether a write may go straight to the system. */
  get isIdle(): boolean {
    return this.#last === undefined;
  }

  /** Runs `write` when those before it have succeeded or failed. */
  run(write: () => Promise<void>): Promise<void> {
    const turn = this.#last === undefined
      ? write()
      : this.#last.then(write, write);
    this.#last = turn;
    const done = () => {
      if (this.#last === turn) this.#last = undefined;
    };
    turn.then(done, done);
    return turn;
  }

  /** Resolves when all writes are done, also where some have failed. */
  settled(): Promise<void> {
    const ignore = () => {};
    return this.#last?.then(ignore, ignore) ?? Promise.resolve();
  }
}
