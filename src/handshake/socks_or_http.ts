/** The handshakes of a proxy: SOCKS5 and HTTP, whose hosts are names of services. */
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import { type Refusal, refusal } from "../policy/refusal.ts";
import { isName, NAME_RULE } from "../table/schema.ts";
import type { ProxyListener } from "../table/service.ts";
import type { Handshake, HandshakeState } from "./handshake.ts";
import {
  beginsHttp,
  httpEstablished,
  type HttpFault,
  HttpReader,
  httpRefusal,
  httpTarget,
} from "./http.ts";
import {
  SOCKS_REPLY,
  SOCKS_VERSION,
  socksMethod,
  SocksReader,
  type SocksReply,
  socksReply,
  type SocksRequest,
} from "./socks5.ts";

const NOTHING = new Uint8Array(0);

const SLOW = refusal("timeout", "no request within handshake_timeout", "");
const CUT_SHORT = refusal(
  "eof",
  "the client closed before its request was complete",
  "",
);
const UNKNOWN = refusal(
  "bad_request",
  "the first byte is neither SOCKS5 nor HTTP",
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

  push(bytes: Uint8Array | null): HandshakeState {
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

/** SOCKS5 without authentication: CONNECT to a name. */
class Socks5Handshake implements Omit<Handshake, "tooSlow"> {
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

  push(bytes: Uint8Array | null): HandshakeState {
    const state = this.#reader.push(bytes ?? NOTHING);
    switch (state.state) {
      case "greeting":
        if (!state.open) {
          const why =
            "the client requires authentication, which is not offered";
          return this.#deny(why, socksMethod(false));
        }
        this.#refusal = undefined;
        return { kind: "answer", bytes: socksMethod(true) };
      case "request":
        return this.#asked(state);
      case "malformed":
        this.#refusal ??= socksReply(SOCKS_REPLY.failure);
        return refusal("bad_request", state.why, "");
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

  #asked({ connect, name, rest }: SocksRequest): HandshakeState {
    if (!connect) {
      const reply = socksReply(SOCKS_REPLY.commandNotSupported);
      return this.#deny("SOCKS: only the command CONNECT is supported", reply);
    }
    if (name === undefined) {
      const reply = socksReply(SOCKS_REPLY.addressTypeNotSupported);
      return this.#deny(
        `the client asked for an IP address, but ${BY_NAME} ` +
          "(let the proxy resolve names, as curl does with socks5h://)",
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

function replyTo({ error }: Refusal): SocksReply {
  switch (error) {
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

/** HTTP: CONNECT, and requests for `http://NAME/`. */
class HttpHandshake implements Omit<Handshake, "tooSlow"> {
  readonly #suffix: string;
  readonly #reader = new HttpReader();
  #isTunnel = true;
  /** Set when the refusal's code does not determine the status. */
  #status: number | undefined;

  constructor(suffix: string) {
    this.#suffix = suffix;
  }

  push(bytes: Uint8Array | null): HandshakeState {
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
    const code = status === 431 ? "too_long" : "bad_request";
    return refusal(code, `HTTP: ${why}`, "");
  }
}

function statusOf({ outcome, error }: Refusal): number {
  if (outcome === "busy") return 503;
  if (outcome === "timeout") return 408;
  if (outcome === "malformed") return 400;
  return error === "timed_out" ? 504 : 502;
}

const BY_NAME = "the proxy reaches only services, by name";

/**
 * The name of the service that a host stands for, or why there is none.
 *
 * @param suffix is taken off the host where it is there, such as `.mux`; empty
 * for none
 */
export function serviceNameOf(
  host: string,
  suffix: string,
): { readonly name: string } | { readonly why: string } {
  if (isIP(host.replace(/^\[|\]$/g, "")) !== 0 || host.startsWith("[")) {
    return { why: `${JSON.stringify(host)} is an address: ${BY_NAME}` };
  }
  const suffixed = suffix !== "" &&
    host.toLowerCase().endsWith(suffix.toLowerCase());
  const name = suffixed ? host.slice(0, -suffix.length) : host;
  return isName(name) ? { name } : {
    why: `${JSON.stringify(name)} is not a valid service name: ${NAME_RULE}`,
  };
}
