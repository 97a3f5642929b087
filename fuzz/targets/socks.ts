/** SOCKS5, as the proxy reads it. */
import { serviceNameOf } from "../../src/handshake/socks_or_http.ts";
import { SocksReader } from "../../src/handshake/socks5.ts";
import { behind, bytesOf, cuts } from "../cut.ts";
import { check, same, shown, type Target } from "../target.ts";

/** The longest greeting or request. */
const MOST_HELD = 5 + 255 + 2;

const GREETING = "\x05\x01\0";

export const socks: Target = {
  name: "socks",
  inputs: 1_000_000,
  binary: true,
  words: [
    ...[
      GREETING,
      "\x05\x01\0\x03",
      "\x05",
      "\x05\0",
      "\x05\xff",
      "\x01\x7f\0\0",
    ],
    ...["\x05\x02\0\x03", "\x05\x01\0\x04", "\x03ssh\0\x16", "\x04", "\xff"],
  ],

  generate(random) {
    const methods = String.fromCharCode(
      ...random.bytes(random.oneIn(10) ? random.below(256) : random.size(5)),
    );
    const greeting = random.oneIn(3)
      ? `\x05${String.fromCharCode(methods.length)}${methods}`
      : GREETING;
    const name = "x".repeat(random.oneIn(8) ? 255 : random.size(30));
    const address = random.pick([
      `\x03${String.fromCharCode(name.length)}${name}`,
      `\x03${String.fromCharCode(name.length)}${name}`,
      "\x01\x7f\0\0\x01",
      `\x04${"\0".repeat(15)}\x01`,
    ]);
    const command = random.oneIn(6) ? "\x02" : "\x01";
    const rest = random.oneIn(2) ? "SSH-2.0" : "";
    return `${greeting}\x05${command}\0${address}\0\x16${rest}`;
  },

  check(input) {
    const ways = cuts(bytesOf(input));
    const first = read(ways[0]!);
    for (const way of ways) same(read(way), first, "another cut");
    same(first, expected(input), "the requests");
  },
};

function read(pieces: readonly Uint8Array[]): unknown[] {
  const reader = new SocksReader();
  const states: unknown[] = [];
  let held = 0;
  for (const [index, piece] of pieces.entries()) {
    let state = reader.push(piece);
    held += piece.length;
    if (state.state === "greeting") {
      states.push(`greeting ${state.open}`);
      if (!state.open) return states; // the proxy ends it here
      held = 0;
      state = reader.push(new Uint8Array(0));
    }
    if (state.state === "more") {
      check(held <= MOST_HELD, () => `${held} bytes are held`);
      continue;
    }
    if (state.state === "malformed") {
      check(/^[\x20-\x7e]+$/.test(state.why), () => shown(state));
      return [...states, "malformed"];
    }
    if (state.state !== "request") throw new Error("two greetings");
    const { connect, name } = state;
    if (name !== undefined) checkName(name);
    return [...states, connect, name, behind(state.rest, pieces, index)];
  }
  return states;
}

/** Whatever bytes are a host, they are a name or they are refused in ASCII. */
function checkName(host: string): void {
  const service = serviceNameOf(host, "");
  if ("why" in service) return;
  check(/^[\x21-\x7e]{1,255}$/.test(service.name), () => shown(service));
}

/** RFC 1928, said once more in another way. */
function expected(input: string): unknown[] {
  if (input === "") return [];
  if (input[0] !== "\x05") return ["malformed"];
  const end = 2 + input.charCodeAt(1);
  if (!(input.length >= end)) return [];
  const open = input.slice(2, end).includes("\0");
  const greeting = `greeting ${open}`;
  const request = input.slice(end);
  if (!open || request === "") return [greeting];
  if (request[0] !== "\x05") return [greeting, "malformed"];
  if (request.length < 5) return [greeting];
  const type = request.charCodeAt(3);
  const start = type === 3 ? 5 : 4;
  const length = { 1: 4, 3: request.charCodeAt(4), 4: 16 }[type];
  if (length === undefined) return [greeting, "malformed"];
  if (request.length < start + length + 2) return [greeting];
  const host = request.slice(start, start + length);
  return [
    greeting,
    request[1] === "\x01",
    type === 3 ? host : undefined,
    request.slice(start + length + 2),
  ];
}
