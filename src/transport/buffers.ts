/**
 * Buffers to read into. A connection that waits holds one, so that one must
 * be small; under load a large one takes more in fewer steps.
 */
export const SMALL_BUFFER = 2 * 1024;
const LARGE_BUFFER = 256 * 1024;

/** Large buffers that nobody uses just now. */
const spare: Uint8Array[] = [];
const MAX_SPARE = 32;

/** After `count` bytes were read into `buffer`: what the next read needs. */
export function fitting(buffer: Uint8Array, count: number): Uint8Array {
  if (buffer.length === SMALL_BUFFER) {
    if (count < SMALL_BUFFER) return buffer;
    return spare.pop() ?? new Uint8Array(LARGE_BUFFER);
  }
  if (count > SMALL_BUFFER) return buffer;
  putBack(buffer);
  return new Uint8Array(SMALL_BUFFER);
}

/** Another one of the same size, while this one is still in use. */
export function another(buffer: Uint8Array): Uint8Array {
  return buffer.length === SMALL_BUFFER
    ? new Uint8Array(SMALL_BUFFER)
    : spare.pop() ?? new Uint8Array(LARGE_BUFFER);
}

/** Nobody reads into it or writes from it any more. */
export function putBack(buffer: Uint8Array): void {
  if (buffer.length === LARGE_BUFFER && spare.length < MAX_SPARE) {
    spare.push(buffer);
  }
}
