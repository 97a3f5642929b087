/**
 * The bytes of HTTP/1 to a proxy (RFC 9112): the head of a request, the host
 * that it is for, the head that goes on to that host, and the answers.
 */
import { Buffer } from "node:buffer";

const CR = 0x0d;
const LF = 0x0a;

/** Bytes that a head may have at the most, its empty line included. */
export const MAX_HEAD = 16 * 1024;

/** The characters of a method or of a header's name (RFC 9110, 5.6.2). */
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

/** How far a head has been read. */
export type HttpState =
  | { readonly state: "more" }
  | {
    readonly state: "head";
    readonly head: HttpHead;
    readonly rest: Uint8Array;
  }
  | HttpFault;

/** What is wrong with a request, and the HTTP status of the answer. */
export interface HttpFault {
  readonly state: "malformed";
  readonly status: number;
  readonly why: string;
}

/** Whether a request may begin with that byte. */
export function beginsHttp(byte: number): boolean {
  return FIRST_BYTE.test(String.fromCharCode(byte));
}

/** Reads a head in any segmentation. Holds `MAX_HEAD` plus one read at most. */
export class HttpReader {
  /** What has been read, and room for more. */
  #held: Uint8Array = new Uint8Array(0);
  #length = 0;

  /** Takes the next bytes. Not called again after anything but `more`. */
  push(bytes: Uint8Array): HttpState {
    // The empty line may have begun in the last two bytes.
    const from = Math.max(0, this.#length - 2);
    const all = this.#add(bytes);
    const end = endOfHead(all, from);
    const isLong = end > MAX_HEAD || (end < 0 && all.length >= MAX_HEAD);
    if (end < 0 && !isLong) return { state: "more" };
    this.#held = new Uint8Array(0);
    if (isLong) {
      return httpFault(
        431,
        `the head of the request is longer than ${MAX_HEAD} bytes`,
      );
    }
    const head = parseHead(latin1(all.subarray(0, end)));
    if ("status" in head) return head;
    return { state: "head", head, rest: all.subarray(end) };
  }

  /** @returns all that was read so far */
  #add(bytes: Uint8Array): Uint8Array {
    const length = this.#length + bytes.length;
    if (length > this.#held.length) {
      // Twice the room, so that a client that sends byte by byte costs little.
      const roomier = new Uint8Array(Math.max(length, 2 * this.#length));
      roomier.set(this.#held.subarray(0, this.#length));
      this.#held = roomier;
    }
    this.#held.set(bytes, this.#length);
    this.#length = length;
    return this.#held.subarray(0, length);
  }
}

function httpFault(status: number, why: string): HttpFault {
  return { state: "malformed", status, why };
}

/** The index where the body begins; -1 while the empty line is missing. */
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

export type HttpTarget =
  /** CONNECT: all that follows passes through. */
  | { readonly kind: "tunnel"; readonly host: string }
  /** A plain request, with the head as the origin server wants it. */
  | {
    readonly kind: "request";
    readonly host: string;
    readonly head: Uint8Array;
  };

/** A host without user and password, and perhaps a port, which is ignored. */
const AUTHORITY = /^(\[[^\]]*\]|[^\s:@[\]/?#]+)(?::\d{0,5})?$/;

/** Headers that end at a proxy and are not passed on (RFC 9110, 7.6.1). */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
];

export function httpTarget(head: HttpHead): HttpTarget | HttpFault {
  const { method, target } = head;
  if (method === "CONNECT") {
    const host = hostOf(target);
    return host === undefined
      ? httpFault(400, "CONNECT takes NAME:PORT")
      : { kind: "tunnel", host };
  }
  const [, authority, path = ""] =
    /^http:\/\/([^/?#]*)([^#]*)$/i.exec(target) ??
      [];
  if (authority === undefined) {
    return httpFault(
      400,
      target.startsWith("/")
        ? "this is a proxy: it takes CONNECT NAME:PORT and http://NAME/"
        : "this proxy takes only http://NAME/ and CONNECT NAME:PORT",
    );
  }
  const host = hostOf(authority);
  if (host === undefined) {
    return httpFault(400, "the URL must be http://NAME/ or http://NAME:PORT/");
  }
  return { kind: "request", host, head: originForm(head, authority, path) };
}

function hostOf(authority: string): string | undefined {
  return AUTHORITY.exec(authority)?.[1];
}

/**
 * The head for the origin server. One connection carries one request, since
 * the next may be for another service.
 */
function originForm(
  { method, version, headers }: HttpHead,
  authority: string,
  path: string,
): Uint8Array {
  const named = headers
    .filter(({ name }) => name === "connection")
    .flatMap(({ line }) => line.slice(line.indexOf(":") + 1).split(","))
    .map((name) => name.trim().toLowerCase());
  const dropped = new Set([...HOP_BY_HOP, ...named, "host"]);
  const lines = [
    `${method} ${originPath(method, path)} ${version}`,
    `Host: ${authority}`,
    ...headers.filter(({ name }) => !dropped.has(name)).map(({ line }) => line),
    "Connection: close",
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

function originPath(method: string, path: string): string {
  if (path.startsWith("/")) return path;
  return path === "" && method === "OPTIONS" ? "*" : `/${path}`;
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

/** The answer to CONNECT once the service has been opened. */
export function httpEstablished(): Uint8Array {
  return new TextEncoder().encode(
    "HTTP/1.1 200 Connection established\r\n\r\n",
  );
}

/** A complete answer whose body gives the reason in one line. */
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
