/** The first message of a client of TLS (RFC 8446, section 4.1.2). */
import { isHostName } from "../parse_endpoint.ts";
import { joined } from "../wire.ts";

/** What a client sends first, as far as it has come. */
export type Hello =
  | {
    readonly kind: "more";
    /** The number of bytes in all that reading on needs. */
    readonly least: number;
  }
  /** What has come does not begin as TLS does. */
  | { readonly kind: "plain" }
  | ClientHello;

/** The first message of a client, and what it says. */
export interface ClientHello {
  readonly kind: "hello";
  /** All that was read, for TLS to begin with. */
  readonly bytes: Uint8Array;
  /** The name of the server that the client means; undefined without. */
  readonly sni: string | undefined;
  /** The protocols that the client asks for (RFC 7301). */
  readonly alpn: readonly string[];
}

/** The type of a record that holds messages of the handshake. */
const HANDSHAKE = 22;
/** The type of that message. */
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const PROTOCOLS = 16;
/** A record's type, version and length. */
const RECORD_HEAD = 5;
const MOST_IN_RECORD = 16 * 1024;
/** More records than any client cuts it into: each look begins anew. */
const MOST_RECORDS = 16;
/** Bytes in a message; those of clients have some 2,000. */
const MOST_IN_MESSAGE = 32 * 1024;
const NOTHING = new Uint8Array(0);
const text = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Collects the bytes of a client until its first message is complete. It is
 * handed to TLS as a whole: Deno resets a connection whose first record comes
 * in pieces.
 */
export class HelloReader {
  /** What has come stands at its beginning. */
  #held: Uint8Array = NOTHING;
  #count = 0;
  /** The number of bytes in all that reading on needs. */
  #least = 0;

  get started(): boolean {
    return this.#count > 0;
  }

  /** Whether the first byte is that of TLS, which no line of text begins with. */
  get beginsAsTls(): boolean {
    return this.bytes[0] === HANDSHAKE;
  }

  /** All that has come. */
  get bytes(): Uint8Array {
    return this.#held.subarray(0, this.#count);
  }

  push(bytes: Uint8Array): Hello {
    this.#hold(bytes);
    if (this.#count < this.#least) return { kind: "more", least: this.#least };
    const whole = this.bytes;
    const hello = readHello(whole);
    if (hello.kind === "more") this.#least = hello.least;
    return hello;
  }

  /** Each byte is copied but a few times, in however many pieces they come. */
  #hold(bytes: Uint8Array): void {
    const start = this.#count;
    this.#count += bytes.length;
    if (start === 0) {
      this.#held = bytes;
      return;
    }
    if (this.#count > this.#held.length) {
      const larger = new Uint8Array(2 * this.#count);
      larger.set(this.#held.subarray(0, start));
      this.#held = larger;
    }
    this.#held.set(bytes, start);
  }
}

/** Whether the bytes are the beginning of TLS, or of nothing yet. */
export function beginsTls([type, version]: Uint8Array): boolean {
  return (type === undefined || type === HANDSHAKE) &&
    (version === undefined || version === 3);
}

function readHello(bytes: Uint8Array): Hello {
  if (!beginsTls(bytes)) return { kind: "plain" };
  // The message may be cut into records anywhere.
  let message: Uint8Array = NOTHING;
  for (let at = 0, records = 0; records < MOST_RECORDS; records++) {
    const length = number(bytes, at + 3, 2);
    if (length === undefined) {
      return { kind: "more", least: bytes.length < 2 ? 2 : at + RECORD_HEAD };
    }
    const isRecord = bytes[at] === HANDSHAKE && bytes[at + 1] === 3 &&
      length > 0 && length <= MOST_IN_RECORD;
    if (!isRecord) return { kind: "plain" };
    const end = at + RECORD_HEAD + length;
    if (bytes.length < end) return { kind: "more", least: end };
    message = joined(message, bytes.subarray(at + RECORD_HEAD, end));
    if (message[0] !== CLIENT_HELLO) return { kind: "plain" };
    const whole = number(message, 1, 3);
    if (whole !== undefined && whole > MOST_IN_MESSAGE) {
      return { kind: "plain" };
    }
    if (whole !== undefined && message.length >= 4 + whole) {
      const of = extensionsOf(message.subarray(4, 4 + whole));
      const [sni, alpn] = [hostIn(of(SERVER_NAME)), protocolsIn(of(PROTOCOLS))];
      return { kind: "hello", bytes, sni, alpn };
    }
    at = end;
  }
  return { kind: "plain" };
}

/** A number of so many bytes; undefined where they are not all there. */
function number(
  bytes: Uint8Array,
  at: number,
  size: number,
): number | undefined {
  if (bytes.length < at + size) return undefined;
  return bytes.subarray(at, at + size)
    .reduce((sum, byte) => sum * 256 + byte, 0);
}

/**
 * Finds the first extension of a type; empty where there is none, or the
 * message is not as it should be: TLS itself says so then.
 */
function extensionsOf(hello: Uint8Array): (type: number) => Uint8Array {
  const found = new Map<number, Uint8Array>();
  let at = 2 + 32; // version, random
  for (const size of [1, 2, 1]) { // session, ciphers, compressions
    at += size + (number(hello, at, size) ?? hello.length);
  }
  at += 2; // the length of all extensions
  for (;;) {
    const type = number(hello, at, 2);
    const length = number(hello, at + 2, 2);
    if (type === undefined || length === undefined) break;
    at += 4;
    if (!found.has(type)) found.set(type, hello.subarray(at, at + length));
    at += length;
  }
  return (type) => found.get(type) ?? NOTHING;
}

/**
 * The host of the extension server_name (RFC 6066, section 3), in lower case:
 * the first name of its list; the only kind that there is.
 */
function hostIn(list: Uint8Array): string | undefined {
  const length = number(list, 3, 2);
  const isWhole = length !== undefined && list.length >= 5 + length;
  if (list[2] !== HOST_NAME || !isWhole) return undefined;
  const host = text.decode(list.subarray(5, 5 + length));
  return isHostName(host) ? host.toLowerCase() : undefined;
}

/** The list of the extension for ALPN. */
function protocolsIn(list: Uint8Array): string[] {
  const found: string[] = [];
  for (let at = 2; at < list.length;) {
    const end = at + 1 + list[at]!;
    found.push(String.fromCharCode(...list.subarray(at + 1, end)));
    at = end;
  }
  return found;
}
