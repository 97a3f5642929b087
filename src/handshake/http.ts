import { Buffer } from "node:buffer";
import { type Refusal, refusal } from "../policy/refusal.ts";
import type { Handshake, HandshakeStep } from "./handshake.ts";
import {
  httpEstablished,
  type HttpFault,
  HttpReader,
  httpRefusal,
} from "./http_head.ts";
import { httpTarget } from "./http_target.ts";
import { serviceNameOf } from "./proxied_name.ts";

const NOTHING = new Uint8Array(0);

/** HTTP: CONNECT, and requests for `http://NAME/`. */
export class HttpHandshake implements Omit<Handshake, "tooSlow"> {
  readonly #suffix: string;
  readonly #reader = new HttpReader();
  #isTunnel = true;
  /** Set when the refusal's code does not determine the status. */
  #status: number | undefined;

  constructor(suffix: string) {
    this.#suffix = suffix;
  }

  push(bytes: Uint8Array | null): HandshakeStep {
    const state = this.#reader.push(bytes ?? NOTHING);
    if (state.state === "more") return { kind: "more" };
    if (state.state === "malformed") return this.#malformed(state);
    const target = httpTarget(state.head);
    if ("status" in target) return this.#malformed(target);
    const service = serviceNameOf(target.host, this.#suffix);
    if ("why" in service) {
      this.#status = 403;
      return refusal("denied", service.why, "");
    }
    this.#isTunnel = target.kind === "tunnel";
    const early = target.kind === "tunnel"
      ? state.rest
      : Buffer.concat([target.head, state.rest]);
    return { kind: "name", name: service.name, early };
  }

  acceptance(): Uint8Array {
    return this.#isTunnel ? httpEstablished() : NOTHING;
  }

  rejection(why: Refusal): Uint8Array {
    return httpRefusal(this.#status ?? statusOf(why), why.reason);
  }

  #malformed({ status, why }: HttpFault): Refusal {
    this.#status = status;
    return refusal("malformed", `HTTP: ${why}`, "");
  }
}

function statusOf({ outcome, code }: Refusal): number {
  if (outcome === "busy") return 503;
  if (outcome === "timeout") return 408;
  if (outcome === "malformed") return 400;
  return code === "timed_out" ? 504 : 502;
}
