import { type Refusal, refusal } from "../policy/refusal.ts";
import type { ProxyListener } from "../table/listener.ts";
import type { Handshake, HandshakeStep } from "./handshake.ts";
import { HttpHandshake } from "./http.ts";
import { beginsHttp } from "./http_head.ts";
import { SOCKS_VERSION } from "./socks5.ts";
import { Socks5Handshake } from "./socks5_handshake.ts";

const NOTHING = new Uint8Array(0);

const SLOW = refusal("timeout", "no request within handshake_timeout", "");
const CUT_SHORT = refusal(
  "malformed",
  "the client ended before its request did",
  "",
);
const UNKNOWN = refusal(
  "malformed",
  "the first byte is neither of SOCKS5 nor of HTTP",
  "",
);

/**
 * SOCKS5 or HTTP: the first byte shows which. Whatever host the client asks
 * for, it is only ever a service's name at one TCPMUX server.
 */
export class ProxyHandshake implements Handshake {
  readonly tooSlow = SLOW;
  readonly #listener: ProxyListener;
  #spoken: Omit<Handshake, "tooSlow"> | undefined;

  constructor(listener: ProxyListener) {
    this.#listener = listener;
  }

  push(bytes: Uint8Array | null): HandshakeStep {
    if (bytes === null) {
      return this.#spoken === undefined ? { kind: "silence" } : CUT_SHORT;
    }
    if (this.#spoken === undefined) {
      if (bytes.length === 0) return { kind: "more" };
      this.#spoken = handshakeOf(bytes[0]!, this.#listener.suffix);
      if (this.#spoken === undefined) return UNKNOWN;
    }
    const step = this.#spoken.push(bytes);
    if (step.kind !== "name") return step;
    const { name: requested, early } = step;
    const service = { ...this.#listener.service, remoteName: requested };
    return { kind: "service", service, requested, early };
  }

  acceptance(message: string): Uint8Array {
    return this.#spoken?.acceptance(message) ?? NOTHING;
  }

  rejection(why: Refusal): Uint8Array {
    return this.#spoken?.rejection(why) ?? NOTHING;
  }
}

function handshakeOf(
  byte: number,
  suffix: string,
): Omit<Handshake, "tooSlow"> | undefined {
  if (byte === SOCKS_VERSION) return new Socks5Handshake(suffix);
  return beginsHttp(byte) ? new HttpHandshake(suffix) : undefined;
}
