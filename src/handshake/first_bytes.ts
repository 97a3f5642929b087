import type { Refusal } from "../policy/refusal.ts";
import type { FirstBytes } from "../table/steps/first_bytes.ts";
import { joined } from "../wire.ts";
import type { Handshake, HandshakeStep } from "./handshake.ts";

const NOTHING = new Uint8Array(0);

/**
 * A handshake of clients that know nothing of TCPMUX, beside those that do: the
 * first bytes of some protocols name a service, which gets these bytes as well.
 * What begins otherwise is a service line.
 */
export class FirstBytesHandshake implements Handshake {
  readonly #known: readonly FirstBytes[];
  readonly #line: Handshake;
  /** What came, as long as it may be one or the other. */
  #held: Uint8Array | undefined = NOTHING;
  #isNamed = false;

  /** @param known the longest first */
  constructor(known: readonly FirstBytes[], line: Handshake) {
    this.#known = known;
    this.#line = line;
  }

  get tooSlow(): Refusal {
    return this.#line.tooSlow;
  }

  push(bytes: Uint8Array | null): HandshakeStep {
    if (this.#held === undefined) return this.#line.push(bytes);
    const early = joined(this.#held, bytes ?? NOTHING);
    const found = this.#find(early, bytes === null);
    if (found === "more") {
      this.#held = early;
      return { kind: "more" };
    }
    this.#held = undefined;
    if (found !== undefined) {
      this.#isNamed = true;
      return { kind: "name", name: found.service, early, by: "first_bytes" };
    }
    const step = this.#line.push(early);
    return bytes === null && step.kind === "more"
      ? this.#line.push(null)
      : step;
  }

  /** The longest that the bytes begin with, once no longer one is possible. */
  #find(bytes: Uint8Array, isAll: boolean): FirstBytes | "more" | undefined {
    for (const one of this.#known) {
      const common = one.bytes.subarray(0, bytes.length);
      if (common.some((byte, index) => byte !== bytes[index])) continue;
      if (common.length === one.bytes.length) return one;
      if (!isAll) return "more";
    }
  }

  acceptance(message: string): Uint8Array {
    return this.#isNamed ? NOTHING : this.#line.acceptance(message);
  }

  rejection(why: Refusal): Uint8Array {
    return this.#isNamed ? NOTHING : this.#line.rejection(why);
  }
}
