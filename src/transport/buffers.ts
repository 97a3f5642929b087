/**
 * Buffers to read into. A connection that waits holds one, so that one is
 * small; under load a large one takes more in fewer steps. Only so many large
 * ones are out at a time, however many connections there are.
 */
export const SMALL_BUFFER = 1024;
const MEDIUM_BUFFER = 16 * 1024;
const LARGE_BUFFER = 256 * 1024;

const MAX_LARGE = 128;
let largeOnes = 0;

/** Large buffers that nobody uses just now. */
const spare: Uint8Array[] = [];
const MAX_SPARE = 16;

/** After `count` bytes were read into `buffer`: what the next read needs. */
export function fitting(buffer: Uint8Array, count: number): Uint8Array {
  if (count === buffer.length) return larger(buffer);
  const isMuch = count >= buffer.length / 4;
  if (buffer.length === SMALL_BUFFER || isMuch) return buffer;
  putBack(buffer);
  return new Uint8Array(SMALL_BUFFER);
}

function larger(buffer: Uint8Array): Uint8Array {
  if (buffer.length === LARGE_BUFFER) return buffer;
  if (largeOnes < MAX_LARGE) {
    largeOnes++;
    return spare.pop() ?? new Uint8Array(LARGE_BUFFER);
  }
  return buffer.length === MEDIUM_BUFFER
    ? buffer
    : new Uint8Array(MEDIUM_BUFFER);
}

/** Nobody reads into it or writes from it any more. */
export function putBack(buffer: Uint8Array): void {
  if (buffer.length !== LARGE_BUFFER) return;
  largeOnes--;
  if (spare.length < MAX_SPARE) spare.push(buffer);
}

/** The system may still write from it: it is not used again. */
export function giveUp(buffer: Uint8Array): void {
  if (buffer.length === LARGE_BUFFER) largeOnes--;
}
