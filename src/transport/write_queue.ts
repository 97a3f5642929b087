/** Lets writes take turns, so that they keep their order. */
export class WriteQueue {
  #last: Promise<void> | undefined;

  /** Whether a write may go straight to the system. */
  get idle(): boolean {
    return this.#last === undefined;
  }

  /** Runs `write` when those before it are done, whatever became of them. */
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

  /** Resolves when all writes are done; their callers know of failures. */
  settled(): Promise<void> {
    const ignore = () => {};
    return this.#last?.then(ignore, ignore) ?? Promise.resolve();
  }
}
