/** The bytes of RFC 1078, from both sides. Nothing here reads or writes. */
import { RefusedError, TcpmuxError } from "./errors.ts";

const CR = 0x0d;
const LF = 0x0a;

/** Bytes that a service name may have at the most. */
export const MAX_NAME = 255;

/** Bytes of the longest legal line: a name and CRLF. */
const MAX_LINE = MAX_NAME + 2;

/** The name of TCPMUX among the protocols of ALPN (RFC 7301). */
export const ALPN = "tcpmux";

/** The reserved name that asks for the list of services, in upper case. */
export const HELP = "HELP";

/** What is wrong with a service name. */
export type NameFault = "bad_byte" | "empty" | "too_long";

/** How far the request line has been read. */
export type RequestState =
  | { readonly state: "more" }
  | { readonly state: "line"; readonly name: string; readonly rest: Uint8Array }
  | {
    readonly state: "malformed";
    readonly code: NameFault;
    readonly why: string;
  };

const MORE: RequestState = { state: "more" };

const NONE = new Uint8Array(0);
const ascii = new TextDecoder("latin1");

/**
 * A name is printable ASCII: a space is not malformed, but no service can have
 * it.
 */
const NOT_PRINTABLE = /[^\x20-\x7e]/;

/**
 * Reads the request line in any segmentation. The line ends with CRLF, or with
 * LF alone, which every Unix implementation takes as well. The reader holds the
 * longest legal line plus one read at the most.
 */
export class RequestReader {
  #held = NONE;

  /** Takes the next bytes. Not called again after anything but `more`. */
  push(bytes: Uint8Array): RequestState {
    if (bytes.length === 0) return MORE;
    const line = this.#held.length === 0 ? bytes : joined(this.#held, bytes);
    const lf = line.indexOf(LF);
    const stop = lf < 0 ? line.length : lf;
    // A CR before the LF is no part of the name.
    const end = line[stop - 1] === CR ? stop - 1 : stop;
    if (lf >= 0 && end === 0) return illegal("empty", "is empty");
    const some = line.length > MAX_LINE ? line.subarray(0, MAX_LINE) : line;
    const name = ascii.decode(some).slice(0, Math.min(end, MAX_NAME + 1));
    // Bad bytes are reported before excess length, so that the error does not
    // depend on how the line was segmented.
    const bad = name.search(NOT_PRINTABLE);
    if (bad >= 0) {
      const hex = line[bad]!.toString(16).padStart(2, "0");
      return illegal("bad_byte", `contains the byte 0x${hex}`);
    }
    if (end > MAX_NAME || (lf < 0 && line.length >= MAX_LINE)) {
      return illegal("too_long", `is longer than ${MAX_NAME} bytes`);
    }
    if (lf < 0) {
      this.#held = line.slice();
      return MORE;
    }
    const rest = lf + 1 === line.length ? NONE : line.subarray(lf + 1);
    return { state: "line", name, rest };
  }

  /** Whether the peer has sent anything at all. */
  get started(): boolean {
    return this.#held.length > 0;
  }
}

function illegal(code: NameFault, why: string): RequestState {
  return { state: "malformed", code, why: `the service name ${why}` };
}

/** The bytes of both, the first ones first, so that one write sends them. */
export function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (b.length === 0) return a;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Bytes that are written at a time where there are many. */
const PIECE = 16 * 1024;

/** The same bytes in pieces: who reads slowly can take each in its time. */
export function* piecesOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) {
    yield bytes.subarray(at, at + PIECE);
  }
}

const encoder = new TextEncoder();

/**
 * `+message CRLF`.
 *
 * @param message printable ASCII: the table's, or made so by a reader
 */
export function positive(message: string): Uint8Array {
  return encoder.encode(`+${message}\r\n`);
}

/** `-message CRLF`, with a message as {@linkcode positive} takes it. */
export function negative(message: string): Uint8Array {
  return encoder.encode(`-${message}\r\n`);
}

/** The answer to HELP: one name a line, no `+` before them. */
export function helpText(names: readonly string[]): Uint8Array {
  return encoder.encode(names.map((name) => `${name}\r\n`).join(""));
}

/** The request line of a client, with the early bytes behind it. */
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

/** How far a reply line has been read. */
export type ReplyState =
  | { readonly state: "more" }
  | Reply
  | { readonly state: "malformed"; readonly why: string };

/** The replies of a server of tcpmux to whose TLS is not as it must be. */
export const TLS_REPLIES = {
  noTls: "TLS required here",
  noCertificate: "Certificate required",
  badCertificate: "Certificate refused",
} as const;

/** How a client, or a service of a table, speaks TLS with a server. */
export const TLS_WAYS = "--tls, tcpmuxs://HOST, or tls = true in a table";

const SPEAKS_TLS = `it speaks TLS (connect to it by TLS: ${TLS_WAYS})`;

/** By which a server of TLS complains of what is no TLS (RFC 8446, 5.1). */
const TLS_ALERT = 0x15;

/** Reads a server's reply line, in any segmentation, from any server. */
export class ReplyReader {
  #held = NONE;

  push(bytes: Uint8Array): ReplyState {
    const line = this.#held.length === 0 ? bytes : joined(this.#held, bytes);
    const sign = String.fromCharCode(line[0] ?? 0);
    if (line.length > 0 && sign !== "+" && sign !== "-") {
      const why = line[0] === TLS_ALERT
        ? SPEAKS_TLS
        : "the reply does not begin with + or -";
      return { state: "malformed", why };
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
      message: printable(
        line.subarray(1, line[end - 1] === CR ? end - 1 : end),
      ),
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

/** The names in any server's answer. */
export function namesIn(text: string, server: string): string[] {
  const lines = text.replaceAll("\0", "").split(/\r\n|\n|\r/)
    .map((line) => line.trim());
  if (lines[0]?.startsWith("-")) {
    throw new RefusedError(HELP, server, visibleText(lines[0].slice(1)));
  }
  if (lines[0]?.startsWith("+")) lines.shift();
  const names = lines.filter((line) =>
    /^[\x21-\x7e]{1,255}$/.test(line) && line.toUpperCase() !== HELP
  );
  if (names.length === 0 && lines.some((line) => line !== "")) {
    const why = text.startsWith("\x15\x03")
      ? SPEAKS_TLS
      : "its answer has no service names";
    throw new TcpmuxError(
      "protocol",
      `${server} is not a TCPMUX server: ${why}`,
    );
  }
  return names;
}

function visibleText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?");
}
