import { closeSync } from "node:fs";
import process from "node:process";

/** What Bun has for calling C: https://bun.com/docs/runtime/ffi */
interface Ffi {
  dlopen(
    library: string,
    symbols: { socketpair: { args: string[]; returns: string } },
  ): { symbols: { socketpair: SocketPair } };
}
type SocketPair = (
  domain: number,
  type: number,
  protocol: number,
  descriptors: Int32Array,
) => number;

const AF_UNIX = 1;
const SOCK_STREAM = 1;
/** No program that is started inherits them by accident. */
const SOCK_CLOEXEC = 0o2000000;

/** Two descriptors of one connection. */
export type Pair = [number, number];

/** socketpair(2) of Linux, which Bun itself does not offer. */
export class SocketPairs {
  #call: SocketPair | undefined;
  #isMissing = process.platform !== "linux";
  #pair = new Int32Array(2);

  /** Two pairs of descriptors; undefined where they are not to be had. */
  makeTwo(): [Pair, Pair] | undefined {
    const first = this.#make();
    if (first === undefined) return undefined;
    const second = this.#make();
    if (second !== undefined) return [first, second];
    for (const descriptor of first) closeSync(descriptor);
  }

  #make(): Pair | undefined {
    const call = this.#find();
    if (call === undefined) return undefined;
    const status = call(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, this.#pair);
    return status === 0 ? [this.#pair[0]!, this.#pair[1]!] : undefined;
  }

  #find(): SocketPair | undefined {
    if (this.#isMissing || this.#call !== undefined) return this.#call;
    try {
      const ffi = process.getBuiltinModule("bun:ffi") as unknown as Ffi;
      this.#call = ffi.dlopen("libc.so.6", {
        socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
      }).symbols.socketpair;
    } catch {
      this.#isMissing = true; // another C library: there is another way
    }
    return this.#call;
  }
}
