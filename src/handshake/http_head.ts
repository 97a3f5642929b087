/** The head of an HTTP/1 request (RFC 9112), as a proxy gets it. Nothing here reads or writes. */

const CR = 0x0d;
const LF = 0x0a;

/** Bytes that a head may have at the most, its empty line included. */
export const MAX_HEAD = 16 * 1024;

/** What a name of a method or a header is made of. */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const REQUEST_LINE = new RegExp(
  `^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/1\\.([01])$`,
);
const HEADER = new RegExp(`^(${TOKEN}):[\\t\\x20-\\x7e\\x80-\\xff]*$`);
const FIRST_BYTE = new RegExp(TOKEN);

/** The head of a request, in Latin-1: a character is a byte. */
export interface HttpHead {
  readonly method: string;
  readonly target: string;
  readonly version: "HTTP/1.0" | "HTTP/1.1";
  /** The name in lower case, and the whole line. */
  readonly headers: readonly { readonly name: string; readonly line: string }[];
}

/** Where reading a head stands. */
export type HttpState =
  | { readonly state: "more" }
  | {
    readonly state: "head";
    readonly head: HttpHead;
    readonly rest: Uint8Array;
  }
  | HttpFault;

/** What is wrong with a request, and the status that says so. */
export interface HttpFault {
  readonly state: "malformed";
  readonly status: number;
  readonly why: string;
}

/** Whether a request may begin with that byte. */
export function beginsHttp(byte: number): boolean {
  return FIRST_BYTE.test(String.fromCharCode(byte));
}

/** Reads a head however it is cut; holds `MAX_HEAD` plus one read at the most. */
export class HttpReader {
  #held = new Uint8Array(0);

  /** Takes the next bytes. After anything but `more` it is done. */
  push(bytes: Uint8Array): HttpState {
    const before = this.#held.length;
    const all = new Uint8Array(before + bytes.length);
    all.set(this.#held);
    all.set(bytes, before);
    this.#held = all;
    // The empty line may have begun in the last two bytes.
    const end = endOfHead(all, Math.max(0, before - 2));
    if (end > MAX_HEAD || (end < 0 && all.length >= MAX_HEAD)) {
      return httpFault(
        431,
        `the head of the request is over ${MAX_HEAD} bytes`,
      );
    }
    if (end < 0) return { state: "more" };
    const head = parseHead(latin1(all.subarray(0, end)));
    if ("status" in head) return head;
    return { state: "head", head, rest: all.subarray(end) };
  }
}

export function httpFault(status: number, why: string): HttpFault {
  return { state: "malformed", status, why };
}

/** Where the body begins; -1 while the empty line is not there. */
function endOfHead(bytes: Uint8Array, from: number): number {
  let at = bytes.indexOf(LF, from);
  for (; at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

function parseHead(text: string): HttpHead | HttpFault {
  const [first = "", ...lines] = text.split(/\r?\n/).slice(0, -2);
  const [, method, target, minor] = REQUEST_LINE.exec(first) ?? [];
  if (method === undefined || target === undefined) {
    return httpFault(400, "the request line is not METHOD TARGET HTTP/1.1");
  }
  const headers = [];
  for (const line of lines) {
    const name = HEADER.exec(line)?.[1]?.toLowerCase();
    if (name === undefined) {
      return httpFault(400, "a header line is not NAME: VALUE");
    }
    headers.push({ name, line });
  }
  const version = minor === "0" ? "HTTP/1.0" : "HTTP/1.1";
  return { method, target, version, headers };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString("latin1");
}

const PHRASES: Record<number, string> = {
  400: "Bad Request",
  403: "Forbidden",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};

/** The answer that a tunnel stands. */
export function httpEstablished(): Uint8Array {
  return new TextEncoder().encode(
    "HTTP/1.1 200 Connection established\r\n\r\n",
  );
}

/** A whole answer that says in one line why not. */
export function httpRefusal(status: number, why: string): Uint8Array {
  const encoder = new TextEncoder();
  const body = `tcpmux: ${why.replace(/\s+/g, " ")}\n`;
  return encoder.encode(
    `HTTP/1.1 ${status} ${PHRASES[status] ?? "Refused"}\r\n` +
      "Content-Type: text/plain; charset=utf-8\r\n" +
      `Content-Length: ${encoder.encode(body).length}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
}
