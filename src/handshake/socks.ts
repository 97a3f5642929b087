import type { ClientConn } from "../client_conn.ts";
import { type Refusal, refusal } from "../policy/decide.ts";
import { serviceOf } from "./proxied_name.ts";
import {
  SOCKS_REPLY,
  socksMethod,
  SocksReader,
  type SocksReply,
  socksReply,
  type SocksRequest,
} from "./socks5.ts";
import type { Asked, Dialect } from "./dialect.ts";
import { NOTHING } from "./handshake.ts";

/** SOCKS5 without authentication: CONNECT to a name. */
export class SocksDialect implements Dialect {
  #suffix: string;
  #reader = new SocksReader();
  /** What a refusal looks like now, where it is not its code that tells. */
  #refusal: Uint8Array | undefined = NOTHING;

  constructor(suffix: string) {
    this.#suffix = suffix;
  }

  async take(
    bytes: Uint8Array,
    client: ClientConn,
  ): Promise<Asked | Refusal | undefined> {
    let state = this.#reader.push(bytes);
    if (state.state === "greeting") {
      if (!state.open) {
        const why = "the client insists on authentication, and there is none";
        return this.#deny(why, socksMethod(false));
      }
      await client.write(socksMethod(true));
      this.#refusal = undefined;
      state = this.#reader.push(NOTHING);
    }
    switch (state.state) {
      case "request":
        client.unread(state.rest);
        return this.#asked(state);
      case "malformed":
        this.#refusal ??= socksReply(SOCKS_REPLY.failure);
        return refusal("malformed", state.why, "");
      default:
        return undefined;
    }
  }

  accepted(): Uint8Array {
    return socksReply(SOCKS_REPLY.succeeded);
  }

  refused(why: Refusal): Uint8Array {
    return this.#refusal ?? socksReply(replyTo(why));
  }

  #asked({ connect, name }: SocksRequest): Asked | Refusal {
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
    const service = serviceOf(name, this.#suffix);
    return "why" in service
      ? this.#deny(service.why, socksReply(SOCKS_REPLY.notAllowed))
      : { kind: "asked", name: service.name };
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
