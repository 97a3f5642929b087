/** The target host of a proxy request, and the head to send it. */
import { Buffer } from "node:buffer";
import { type HttpFault, httpFault, type HttpHead } from "./http_head.ts";

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
        : "a proxy takes http://NAME/ here, and CONNECT for all else",
    );
  }
  const host = hostOf(authority);
  if (host === undefined) {
    return httpFault(400, "http:// takes NAME or NAME:PORT");
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
