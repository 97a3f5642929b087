/**
 * Sizes of buffers to read into, in bytes. An idle connection holds a buffer of
 * the smallest size; under load, larger ones take more bytes in fewer steps.
 */
const SIZES = [256, 4 * 1024, 32 * 1024, 256 * 1024] as const;

const LARGEST = SIZES.length - 1;

/** How many buffers of each size are kept for reuse. */
const MAX_SPARE = [1024, 64, 32, 16] as const;

/** How many of the largest may be in use, whatever the connections. */
const MAX_LARGEST = 128;

/** Buffers that connections read into, and that are used again. */
export class Buffers {
  readonly #spare: readonly Uint8Array[][] = SIZES.map(() => []);
  #largestOut = 0;

  /** @param size an index of `SIZES`; by default the smallest, to begin with */
  take(size = 0): Uint8Array {
    if (size === LARGEST) this.#largestOut++;
    return this.#spare[size]!.pop() ?? new Uint8Array(SIZES[size]!);
  }

  /**
   * The buffer for the next read, after `count` bytes were read into `buffer`:
   * the same one, or another that fits better; the old one is put back then.
   */
  fitting(buffer: Uint8Array, count: number): Uint8Array {
    const size = SIZES.indexOf(buffer.length as typeof SIZES[number]);
    const isFull = count === buffer.length;
    const isOversized = size > 0 && count < buffer.length / 4;
    if (!isFull && !isOversized) return buffer;
    const next = isFull ? this.#larger(size) : 0;
    if (next === size) return buffer;
    this.putBack(buffer);
    return this.take(next);
  }

  /** Takes back a buffer that nobody reads into or writes from any more. */
  putBack(buffer: Uint8Array): void {
    const size = SIZES.indexOf(buffer.length as typeof SIZES[number]);
    if (size === LARGEST) this.#largestOut--;
    const spare = this.#spare[size]!;
    if (spare.length < MAX_SPARE[size]!) spare.push(buffer);
  }

  /** Forgets a buffer that the system may still use. */
  giveUp(buffer: Uint8Array): void {
    if (buffer.length === SIZES[LARGEST]) this.#largestOut--;
  }

  #larger(size: number): number {
    if (size === LARGEST) return size;
    return size + 1 < LARGEST || this.#largestOut < MAX_LARGEST
      ? size + 1
      : size;
  }
}
