import { createHash } from "node:crypto";
import { Random } from "../tests/support/random.ts";

const BLOCK = 256 * 1024;

/** What every payload is cut from: a shift or a swap of any kind shows. */
const block = new Random(1078).bytes(BLOCK);

/** Bytes to send, which cost nothing to hold. */
export class Payload {
  readonly length: number;
  #start: number;

  constructor(random: Random, length: number) {
    this.length = length;
    this.#start = random.below(BLOCK);
  }

  /** All of it in pieces of up to `most` bytes, from the byte `from` on. */
  *pieces(most: () => number, from = 0): Generator<Uint8Array> {
    for (let at = from; at < this.length;) {
      const start = (this.#start + at) % BLOCK;
      const count = Math.min(most(), BLOCK - start, this.length - at);
      yield block.subarray(start, start + count);
      at += count;
    }
  }

  /** The first bytes, which are few. */
  head(count: number): Uint8Array {
    const pieces = [...this.pieces(() => BLOCK)];
    return new Uint8Array(Buffer.concat(pieces).subarray(0, count));
  }

  digest(): string {
    const hash = createHash("sha256");
    for (const piece of this.pieces(() => BLOCK)) hash.update(piece);
    return hash.digest("hex");
  }
}

/** Mostly small ones, as services have them; now and then some megabytes. */
export function payloadOf(random: Random): Payload {
  const most = random.oneIn(60)
    ? 8 * 2 ** 20
    : random.oneIn(8)
    ? 2 ** 20
    : 2 ** 15;
  return new Payload(random, random.oneIn(12) ? 0 : random.size(most));
}
