/** Numbers that look random and are the same for the same seed (sfc32). */
export class Random {
  readonly seed: number;
  #a: number;
  #b: number;
  #c = 1;
  #count = 1;

  constructor(seed: number) {
    this.seed = seed;
    this.#a = seed | 0;
    this.#b = Math.trunc(seed / 2 ** 32) | 0;
    for (let i = 0; i < 12; i++) this.next(); // so that near seeds differ
  }

  /** A number of 32 bits. */
  next(): number {
    const sum = (this.#a + this.#b + this.#count++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum | 0;
    return sum >>> 0;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.next() / 2 ** 32 * end);
  }

  /** True once in so many times, on average. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: ArrayLike<T>): T {
    return list[this.below(list.length)]!;
  }

  /** From 0 to `most`, mostly small. */
  size(most: number): number {
    return Math.floor(most ** (this.next() / 2 ** 32) + 0.5) - 1;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.next() & 0xff);
  }
}

/** One that nobody has had yet; small enough to be typed. */
export function freshSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}
