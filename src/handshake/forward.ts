import type { Service } from "../table/service.ts";
import { type Handshake, type Heard, NOTHING } from "./handshake.ts";

/**
 * No word at all: the client knows nothing of TCPMUX. It is refused by the
 * end of its connection; the reason stands in the log.
 */
export class FixedHandshake implements Handshake {
  #service: Service;

  constructor(service: Service) {
    this.#service = service;
  }

  hear(): Promise<Heard> {
    return Promise.resolve({ kind: "serve", service: this.#service });
  }

  accepted(): Uint8Array {
    return NOTHING;
  }

  refused(): Uint8Array {
    return NOTHING;
  }
}
