/** Bytes in pieces, as a network may deliver them. */

export function bytesOf(input: string): Uint8Array {
  return new Uint8Array(Buffer.from(input, "latin1"));
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString("latin1");
}

/** Byte by byte costs much where the reader looks at all again each time. */
const MOST_SINGLE = 700;

/**
 * Some ways to cut the same bytes: not at all, and where their own values
 * say; short ones also byte by byte.
 */
export function cuts(bytes: Uint8Array): Uint8Array[][] {
  const few = Math.ceil(bytes.length / 20);
  const ways = [[bytes], cutBy(bytes, Math.max(7, few)), cutBy(bytes, 300)];
  if (bytes.length <= MOST_SINGLE) {
    ways.push(Array.from(bytes, (byte) => Uint8Array.of(byte)));
  }
  return ways;
}

function cutBy(bytes: Uint8Array, most: number): Uint8Array[] {
  const pieces = [];
  let hash = bytes.length;
  for (let at = 0; at < bytes.length;) {
    hash = (Math.imul(hash, 31) + bytes[at]! + 7) >>> 0;
    const size = 1 + hash % most;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

/** What comes behind the piece with that index, and `rest` before it. */
export function behind(
  rest: Uint8Array,
  pieces: readonly Uint8Array[],
  index: number,
): string {
  return textOf(rest) + pieces.slice(index + 1).map(textOf).join("");
}
