import { REFUSALS } from "../policy/refusal.ts";
import type { Service } from "../table/service.ts";
import type { Handshake, HandshakeStep } from "./handshake.ts";

const NOTHING = new Uint8Array(0);

/**
 * A handshake without bytes, for clients that know nothing of TCPMUX. Closing
 * the connection is the refusal; the log has the reason.
 */
export class ForwardHandshake implements Handshake {
  readonly tooSlow = REFUSALS.slow;
  readonly #service: Service;

  constructor(service: Service) {
    this.#service = service;
  }

  push(): HandshakeStep {
    return { kind: "service", service: this.#service, early: NOTHING };
  }

  acceptance(): Uint8Array {
    return NOTHING;
  }

  rejection(): Uint8Array {
    return NOTHING;
  }
}
