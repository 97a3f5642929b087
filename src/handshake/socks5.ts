/** The bytes of SOCKS5 (RFC 1928) on the server's side: no input or output. */

/** The first byte of every message. */
export const SOCKS_VERSION = 5;

export const SOCKS_REPLY = {
  succeeded: 0,
  failure: 1,
  notAllowed: 2,
  hostUnreachable: 4,
  connectionRefused: 5,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const;
export type SocksReply = typeof SOCKS_REPLY[keyof typeof SOCKS_REPLY];

const NO_AUTHENTICATION = 0;
const NONE_ACCEPTABLE = 0xff;
const CONNECT = 1;
const ADDRESS_LENGTH = { ipv4: 4, ipv6: 16 };

/** How far the client's messages have been read. */
export type SocksState =
  | { readonly state: "more" }
  /** `open`: the client offers to do without authentication. */
  | { readonly state: "greeting"; readonly open: boolean }
  | SocksRequest
  | { readonly state: "malformed"; readonly why: string };

export interface SocksRequest {
  readonly state: "request";
  readonly connect: boolean;
  /** Undefined where the client asks for an address, not for a domain name. */
  readonly name: string | undefined;
  readonly rest: Uint8Array;
}

const MORE: SocksState = { state: "more" };

/**
 * Reads the greeting and then the request, in any segmentation. It keeps the
 * bytes behind the greeting: an empty push goes on with them. It holds the
 * longest legal message plus one read at the most.
 */
export class SocksReader {
  #held = new Uint8Array(0);
  #greeted = false;

  /** Takes the next bytes. Not called again after `request` or `malformed`. */
  push(bytes: Uint8Array): SocksState {
    const all = new Uint8Array(this.#held.length + bytes.length);
    all.set(this.#held);
    all.set(bytes, this.#held.length);
    this.#held = all;
    if (all.length > 0 && all[0] !== SOCKS_VERSION) {
      return malformed(`version ${all[0]} is not ${SOCKS_VERSION}`);
    }
    return this.#greeted ? this.#request(all) : this.#greeting(all);
  }

  #greeting(all: Uint8Array): SocksState {
    const end = 2 + (all[1] ?? 0);
    if (all.length < 2 || all.length < end) return MORE;
    this.#greeted = true;
    this.#held = all.slice(end);
    const open = all.subarray(2, end).includes(NO_AUTHENTICATION);
    return { state: "greeting", open };
  }

  #request(all: Uint8Array): SocksState {
    const [, command, , type, length] = all;
    if (type === undefined) return MORE;
    if (length === undefined) return MORE;
    const start = type === 3 ? 5 : 4;
    const end = type === 3
      ? start + length
      : type === 1
      ? start + ADDRESS_LENGTH.ipv4
      : type === 4
      ? start + ADDRESS_LENGTH.ipv6
      : -1;
    if (end < 0) return malformed(`unknown address type ${type}`);
    if (all.length < end + 2) return MORE; // the port, which names nothing
    const name = String.fromCharCode(...all.subarray(start, end));
    return {
      state: "request",
      connect: command === CONNECT,
      name: type === 3 ? name : undefined,
      rest: all.subarray(end + 2),
    };
  }
}

function malformed(why: string): SocksState {
  return { state: "malformed", why: `SOCKS: ${why}` };
}

/** The answer to a greeting. */
export function socksMethod(open: boolean): Uint8Array {
  const method = open ? NO_AUTHENTICATION : NONE_ACCEPTABLE;
  return Uint8Array.of(SOCKS_VERSION, method);
}

/** The answer to a request. Its address is zeros: the server's is not shown. */
export function socksReply(reply: SocksReply): Uint8Array {
  return Uint8Array.of(SOCKS_VERSION, reply, 0, 1, 0, 0, 0, 0, 0, 0);
}
