/** The bytes of RFC 1078, from both sides. Nothing here reads or writes. */

const CR = 0x0d;
const LF = 0x0a;

/** Bytes that a service name may have at the most. */
export const MAX_NAME = 255;

/** Bytes of the longest legal line: a name and CRLF. */
const MAX_LINE = MAX_NAME + 2;

/** The reserved name that asks for the list of services, in upper case. */
export const HELP = "HELP";

/** Where reading the request line stands. */
export type RequestState =
  | { readonly state: "more" }
  | { readonly state: "line"; readonly name: string; readonly rest: Uint8Array }
  | { readonly state: "malformed"; readonly why: string };

const MORE: RequestState = { state: "more" };

const NONE = new Uint8Array(0);
const ascii = new TextDecoder("latin1");

/**
 * Reads the request line however the network has cut it: ended by CRLF, or by
 * LF alone as every Unix implementation takes it. It holds the longest legal
 * line plus one read at the most.
 */
export class RequestReader {
  #held = NONE;

  /** Takes the next bytes. After anything but `more` it is done. */
  push(bytes: Uint8Array): RequestState {
    const line = this.#held.length === 0 ? bytes : joined(this.#held, bytes);
    const lf = line.indexOf(LF);
    const end = endOfText(line, lf < 0 ? line.length : lf);
    const why = whyIllegal(line, end, lf >= 0);
    if (why !== undefined) return { state: "malformed", why };
    if (lf < 0) {
      this.#held = line.slice();
      return MORE;
    }
    return {
      state: "line",
      name: ascii.decode(line.subarray(0, end)),
      rest: lf + 1 === line.length ? NONE : line.subarray(lf + 1),
    };
  }

  /** Whether the peer has sent anything at all. */
  get started(): boolean {
    return this.#held.length > 0;
  }
}

/** Only printable ASCII makes a name; a blank is legal but names nothing. */
function whyIllegal(
  line: Uint8Array,
  end: number,
  whole: boolean,
): string | undefined {
  if (whole && end === 0) return "the service name is empty";
  // First what every cut of the line shows first, so that all say the same.
  for (let at = 0; at < end && at <= MAX_NAME; at++) {
    const byte = line[at]!;
    if (byte < 0x20 || byte > 0x7e) {
      const hex = byte.toString(16).padStart(2, "0");
      return `the service name holds the byte 0x${hex}`;
    }
  }
  if (end > MAX_NAME || (!whole && line.length >= MAX_LINE)) {
    return `the service name is longer than ${MAX_NAME} bytes`;
  }
}

/** Where the text before a line's end ends: a CR there is part of the end. */
function endOfText(line: Uint8Array, end: number): number {
  return end > 0 && line[end - 1] === CR ? end - 1 : end;
}

/** One after the other, for one write. */
export function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (b.length === 0) return a;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

const encoder = new TextEncoder();

/** `+message CRLF`. The message is the table's, never the peer's. */
export function positive(message: string): Uint8Array {
  return encoder.encode(`+${message}\r\n`);
}

/** `-message CRLF`. */
export function negative(message: string): Uint8Array {
  return encoder.encode(`-${message}\r\n`);
}

/** The answer to HELP: one name a line, no `+` before them. */
export function helpText(names: readonly string[]): Uint8Array {
  return encoder.encode(names.map((name) => `${name}\r\n`).join(""));
}

/** The request that a client sends, and what it sends along at once. */
export function requestLine(
  name: string,
  early: Uint8Array = NONE,
): Uint8Array {
  return joined(encoder.encode(`${name}\r\n`), early);
}

/** Bytes that a server's reply line may have at the most. */
const MAX_REPLY = 1024;

/** A server's reply line. */
export interface Reply {
  readonly state: "reply";
  readonly positive: boolean;
  /** The text behind the sign, with nothing that is not printable ASCII. */
  readonly message: string;
  readonly rest: Uint8Array;
}

/** Where reading a reply line stands. */
export type ReplyState =
  | { readonly state: "more" }
  | Reply
  | { readonly state: "malformed"; readonly why: string };

/** Reads a server's reply line, in any segmentation, from any server. */
export class ReplyReader {
  #held = NONE;

  push(bytes: Uint8Array): ReplyState {
    const line = this.#held.length === 0 ? bytes : joined(this.#held, bytes);
    const sign = String.fromCharCode(line[0] ?? 0);
    if (line.length > 0 && sign !== "+" && sign !== "-") {
      return { state: "malformed", why: "the reply begins with no + or -" };
    }
    const end = line.indexOf(LF);
    if ((end < 0 ? line.length : end) >= MAX_REPLY) {
      return { state: "malformed", why: "the reply line is too long" };
    }
    if (end < 0) {
      this.#held = line.slice();
      return { state: "more" };
    }
    return {
      state: "reply",
      positive: sign === "+",
      message: printable(line.subarray(1, endOfText(line, end))),
      rest: line.subarray(end + 1),
    };
  }
}

/** What another server said, made safe to be passed on and logged. */
function printable(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) {
    text += byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : "?";
  }
  return text;
}
