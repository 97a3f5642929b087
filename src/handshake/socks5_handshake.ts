import { type Refusal, refusal } from "../policy/refusal.ts";
import type { Handshake, HandshakeStep } from "./handshake.ts";
import { serviceNameOf } from "./proxied_name.ts";
import {
  SOCKS_REPLY,
  socksMethod,
  SocksReader,
  type SocksReply,
  socksReply,
  type SocksRequest,
} from "./socks5.ts";

const NOTHING = new Uint8Array(0);

/** SOCKS5 without authentication: CONNECT to a name. */
export class Socks5Handshake implements Omit<Handshake, "tooSlow"> {
  readonly #suffix: string;
  readonly #reader = new SocksReader();
  /**
   * The bytes of a refusal; undefined where its code determines them. There is
   * nothing to answer with before the greeting.
   */
  #refusal: Uint8Array | undefined = NOTHING;

  constructor(suffix: string) {
    this.#suffix = suffix;
  }

  push(bytes: Uint8Array | null): HandshakeStep {
    const state = this.#reader.push(bytes ?? NOTHING);
    switch (state.state) {
      case "greeting":
        if (!state.open) {
          const why = "the client insists on authentication, and there is none";
          return this.#deny(why, socksMethod(false));
        }
        this.#refusal = undefined;
        return { kind: "answer", bytes: socksMethod(true) };
      case "request":
        return this.#asked(state);
      case "malformed":
        this.#refusal ??= socksReply(SOCKS_REPLY.failure);
        return refusal("malformed", state.why, "");
      default:
        return { kind: "more" };
    }
  }

  acceptance(): Uint8Array {
    return socksReply(SOCKS_REPLY.succeeded);
  }

  rejection(why: Refusal): Uint8Array {
    return this.#refusal ?? socksReply(replyTo(why));
  }

  #asked({ connect, name, rest }: SocksRequest): HandshakeStep {
    if (!connect) {
      const reply = socksReply(SOCKS_REPLY.commandNotSupported);
      return this.#deny("SOCKS: of its commands there is only CONNECT", reply);
    }
    if (name === undefined) {
      const reply = socksReply(SOCKS_REPLY.addressTypeNotSupported);
      return this.#deny(
        "an address is asked for: only services are reached, by name " +
          "(let the proxy resolve names, as socks5h:// has curl do)",
        reply,
      );
    }
    const service = serviceNameOf(name, this.#suffix);
    return "why" in service
      ? this.#deny(service.why, socksReply(SOCKS_REPLY.notAllowed))
      : { kind: "name", name: service.name, early: rest };
  }

  #deny(why: string, reply: Uint8Array): Refusal {
    this.#refusal = reply;
    return refusal("denied", why, "");
  }
}

function replyTo({ code }: Refusal): SocksReply {
  switch (code) {
    case "refused":
    case "connection_refused":
      return SOCKS_REPLY.connectionRefused;
    case "host_not_found":
    case "not_found":
    case "timed_out":
    case "unreachable":
      return SOCKS_REPLY.hostUnreachable;
    default:
      return SOCKS_REPLY.failure;
  }
}
