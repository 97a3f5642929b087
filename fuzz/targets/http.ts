/** The head of a request to the proxy, and what an origin server gets of it. */
import { serviceNameOf } from "../../src/handshake/socks_or_http.ts";
import {
  type HttpHead,
  HttpReader,
  httpRefusal,
  httpTarget,
  MAX_HEAD,
} from "../../src/handshake/http.ts";
import type { Random } from "../../tests/support/random.ts";
import { behind, bytesOf, cuts, textOf } from "../cut.ts";
import { check, same, shown, type Target } from "../target.ts";

const METHODS = ["GET", "CONNECT", "POST", "OPTIONS", "get", "M-SEARCH"];
const HOSTS = [
  ...["wiki", "wiki:80", "ssh.mux", "[::1]:80", "127.0.0.1", "a@b:1", "HELP"],
  ...["user:pw@wiki", "wiki:", "wiki:99999", "%77iki", "__proto__", "a..b"],
];
const HEADERS = [
  ...["Host: a", "Host: b", "Connection: close", "connection: X-Hop, te"],
  ...["X-Hop: 1", "Proxy-Connection: keep-alive", "Content-Length: 5"],
  ...["Transfer-Encoding: chunked", "Proxy-Authorization: Basic eA==", "A:"],
  ...["Cookie: a=\xe4", "Keep-Alive: 5", "Connection: host, content-length"],
  ...["__proto__: 1", "X: a\tb", "Connection: ,, ,", "Connection:close:x"],
];
const HOP_BY_HOP = [
  ...["connection", "keep-alive", "proxy-authenticate"],
  ...["proxy-authorization", "proxy-connection"],
];

export const http: Target = {
  name: "http",
  inputs: 1_000_000,
  binary: true,
  words: [
    ...["\r\n\r\n", "\n\n", "\r\n", " HTTP/1.1", " HTTP/1.0\r\n", "GET ", ": "],
    ...["http://", "CONNECT ", "HTTP/2.0", "\r\n ", ":", " ", "?", "#", "/"],
    ...[...HEADERS.map((line) => `${line}\r\n`)],
  ],

  generate(random) {
    const method = random.pick(METHODS);
    const end = random.oneIn(6) ? "\n" : "\r\n";
    const target = method === "CONNECT" || random.oneIn(20)
      ? random.pick(HOSTS)
      : `http://${random.pick(HOSTS)}${random.pick(["", "/", "/a?b=c", "?a"])}`;
    const version = random.oneIn(5) ? "1.0" : "1.1";
    const lines = [`${method} ${target} HTTP/${version}`, ...headers(random)];
    return `${lines.join(end)}${end}${end}${random.oneIn(2) ? "body" : ""}`;
  },

  check(input) {
    const ways = cuts(bytesOf(input));
    const first = read(ways[0]!);
    for (const way of ways) same(read(way), first, "another cut");
    if (first.state === "malformed") return;
    const end = /\n\r?\n/.exec(input);
    if (first.state === "more") return same(end, null, "the empty line");
    same(first.rest, input.slice(end!.index + end![0].length), "the rest");
    checkTarget(first.head);
  },
};

function headers(random: Random): string[] {
  const count = random.size(10);
  const lines = Array.from({ length: count }, () => random.pick(HEADERS));
  if (random.oneIn(50)) {
    lines.push(`Long: ${"a".repeat(MAX_HEAD - 200 + random.below(200))}`);
  }
  return lines;
}

type Read =
  | { state: "head"; head: HttpHead; rest: string }
  | { state: "malformed"; status: number; why: string }
  | { state: "more" };

function read(pieces: readonly Uint8Array[]): Read {
  const reader = new HttpReader();
  let held = 0;
  for (const [index, piece] of pieces.entries()) {
    const state = reader.push(piece);
    if (state.state === "head") {
      return { ...state, rest: behind(state.rest, pieces, index) };
    }
    if (state.state === "malformed") {
      checkRefusal(state.status, state.why);
      return { ...state };
    }
    held += piece.length;
    check(held < MAX_HEAD, () => `${held} bytes are held`);
  }
  return { state: "more" };
}

function checkTarget(head: HttpHead): void {
  const target = httpTarget(head);
  if ("status" in target) return checkRefusal(target.status, target.why);
  const service = serviceNameOf(target.host, ".mux");
  if ("why" in service) checkRefusal(403, service.why);
  else {
    const { name } = service;
    check(/^[\x21-\x7e]{1,255}$/.test(name), () => `the name ${shown(name)}`);
  }
  if (target.kind === "tunnel") return;
  // The head for the origin server is one, and holds nothing of the proxy's.
  const again = new HttpReader().push(target.head);
  if (again.state !== "head") {
    // Two lines of ours more may be too much.
    const over = target.head.length > MAX_HEAD;
    return check(over, () => `of our own head: ${shown(again)}`);
  }
  same(again.rest.length, 0, "behind our own head");
  same(again.head.method, head.method, "the method");
  check(/^(\/|\*$)/.test(again.head.target), () => shown(again.head.target));
  const names = again.head.headers.map(({ name }) => name);
  same(names.filter((name) => name === "host").length, 1, "Host");
  same(names.indexOf("host"), 0, "the place of Host");
  const hops = [...HOP_BY_HOP, ...namedByConnection(head)];
  same(
    again.head.headers.slice(1).filter(({ name }) => hops.includes(name))
      .map(({ line }) => line),
    ["Connection: close"],
    "between client and proxy alone",
  );
}

function namedByConnection({ headers }: HttpHead): string[] {
  return headers.filter(({ name }) => name === "connection")
    .flatMap(({ line }) =>
      line.toLowerCase().slice("connection:".length).split(",")
    ).map((name) => name.trim());
}

/** It is one answer, whatever stands in the reason. */
function checkRefusal(status: number, why: string): void {
  const answer = textOf(httpRefusal(status, why));
  check(/^[\r\n\x20-\x7e]*$/.test(answer), () => `not ASCII: ${answer}`);
  const [head = "", body = "", ...more] = answer.split("\r\n\r\n");
  same(more, [], "a second answer");
  check(
    head.includes(`\r\nContent-Length: ${body.length}\r\n`),
    () => `the length of ${answer}`,
  );
}
