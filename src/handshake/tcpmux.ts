import { malformed, type Refusal, REFUSALS } from "../policy/refusal.ts";
import { negative, positive, RequestReader } from "../wire.ts";
import type { Handshake, HandshakeStep } from "./handshake.ts";

/** RFC 1078: the client sends a name, and the server answers one line. */
export class TcpmuxHandshake implements Handshake {
  readonly tooSlow = REFUSALS.slow;
  readonly #reader = new RequestReader();

  push(bytes: Uint8Array | null): HandshakeStep {
    if (bytes === null) {
      return this.#reader.started ? REFUSALS.cutShort : { kind: "silence" };
    }
    const state = this.#reader.push(bytes);
    if (state.state === "malformed") return malformed(state.why);
    if (state.state === "more") return { kind: "more" };
    return { kind: "name", name: state.name, early: state.rest };
  }

  acceptance(message: string): Uint8Array {
    return positive(message);
  }

  rejection(why: Refusal): Uint8Array {
    return negative(why.text);
  }
}
