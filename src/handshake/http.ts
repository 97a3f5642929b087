import type { ClientConn } from "../client_conn.ts";
import { type Refusal, refusal } from "../policy/decide.ts";
import {
  httpEstablished,
  type HttpFault,
  HttpReader,
  httpRefusal,
} from "./http_head.ts";
import { httpTarget } from "./http_target.ts";
import { serviceOf } from "./proxied_name.ts";
import type { Asked, Dialect } from "./dialect.ts";
import { NOTHING } from "./handshake.ts";

/** HTTP: CONNECT, and requests for `http://NAME/`. */
export class HttpDialect implements Dialect {
  #suffix: string;
  #reader = new HttpReader();
  #tunnel = true;
  /** Of a refusal, where it is not its code that tells. */
  #status: number | undefined;

  constructor(suffix: string) {
    this.#suffix = suffix;
  }

  take(bytes: Uint8Array, client: ClientConn): Asked | Refusal | undefined {
    const state = this.#reader.push(bytes);
    if (state.state === "more") return undefined;
    if (state.state === "malformed") return this.#malformed(state);
    const target = httpTarget(state.head);
    if ("status" in target) return this.#malformed(target);
    const service = serviceOf(target.host, this.#suffix);
    if ("why" in service) {
      this.#status = 403;
      return refusal("denied", service.why, "");
    }
    this.#tunnel = target.kind === "tunnel";
    client.unread(
      target.kind === "tunnel"
        ? state.rest
        : Buffer.concat([target.head, state.rest]),
    );
    return { kind: "asked", name: service.name };
  }

  accepted(): Uint8Array {
    return this.#tunnel ? httpEstablished() : NOTHING;
  }

  refused(why: Refusal): Uint8Array {
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
