/**
 * Buffers to read into. A connection that waits holds one, so that one is
 * small; under load a large one takes more in fewer steps. Only so many large
 * ones are out at a time, however many connections there are.
 */
export const SMALL_BUFFER = 1024;
const MEDIUM_BUFFER = 16 * 1024;
const LARGE_BUFFER = 256 * 1024;

const MAX_LARGE = 128;
/** Of those that nobody uses just now. */
const MAX_SPARE = 16;
const MAX_SPARE_SMALL = 1024;

export class Buffers {
  #largeOnes = 0;
  #spare: Uint8Array[] = [];
  #spareSmall: Uint8Array[] = [];

  /** What a connection begins with. */
  small(): Uint8Array {
    return this.#spareSmall.pop() ?? new Uint8Array(SMALL_BUFFER);
  }

  /** After `count` bytes were read into `buffer`: what the next read needs. */
  fitting(buffer: Uint8Array, count: number): Uint8Array {
    if (count === buffer.length) return this.#larger(buffer);
    const isMuch = count >= buffer.length / 4;
    if (buffer.length === SMALL_BUFFER || isMuch) return buffer;
    this.putBack(buffer);
    return this.small();
  }

  #larger(buffer: Uint8Array): Uint8Array {
    if (buffer.length === LARGE_BUFFER) return buffer;
    if (buffer.length === SMALL_BUFFER) this.putBack(buffer);
    if (this.#largeOnes < MAX_LARGE) {
      this.#largeOnes++;
      return this.#spare.pop() ?? new Uint8Array(LARGE_BUFFER);
    }
    return buffer.length === MEDIUM_BUFFER
      ? buffer
      : new Uint8Array(MEDIUM_BUFFER);
  }

  /** Nobody reads into it or writes from it any more. */
  putBack(buffer: Uint8Array): void {
    if (buffer.length === SMALL_BUFFER) {
      if (this.#spareSmall.length < MAX_SPARE_SMALL) {
        this.#spareSmall.push(buffer);
      }
    } else if (buffer.length === LARGE_BUFFER) {
      this.#largeOnes--;
      if (this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
    }
  }

  /** The system may still write from it: it is not used again. */
  giveUp(buffer: Uint8Array): void {
    if (buffer.length === LARGE_BUFFER) this.#largeOnes--;
  }
}

/** One process, one bound. */
export const buffers = new Buffers();
