/** How many there may be before a new height is told for the first time. */
const FEW = 1024;
/** How many more there must be for the next, as a part of all. */
const MORE = 1 / 8;

/**
 * Tells when clearly more are there than ever before: some twenty times on
 * the way to 10,000, and not again while they come and go below that.
 */
export class Growth {
  #count = 0;
  #next = FEW;
  #grown: () => void;

  constructor(grown: () => void) {
    this.#grown = grown;
  }

  came(): void {
    if (++this.#count < this.#next) return;
    this.#next = Math.ceil(this.#count * (1 + MORE));
    this.#grown();
  }

  left(): void {
    this.#count--;
  }
}
