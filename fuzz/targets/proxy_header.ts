/** The header of the PROXY protocol, as a listener reads it. */
import {
  MAX_PROXY_BODY,
  MAX_PROXY_LINE,
  type ProxyHeader,
  proxyHeader,
  ProxyHeaderReader,
} from "../../src/handshake/proxy_protocol.ts";
import type { Random } from "../../tests/support/random.ts";
import { behind, bytesOf, cuts, textOf } from "../cut.ts";
import { check, same, shown, type Target } from "../target.ts";

const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

/** The most bytes that no verdict is given on. */
const MOST_HELD = Math.max(MAX_PROXY_LINE, 16 + MAX_PROXY_BODY) - 1;

const NOBODY = { transport: "unix", path: "" } as const;

export const header: Target = {
  name: "proxy-header",
  inputs: 1_000_000,
  binary: true,
  words: [
    ...["PROXY ", "TCP4", "TCP6", "UNKNOWN", "\r\n", " ", "::1", "::ffff:"],
    ...[SIGNATURE, "\x20", "\x21", "\x11\0\x0c", "\x21\0\x24", "\x31\0\xd8"],
    ...["\x03\0\x04", "\x05\0\x02id", "\x20\0\x05\x01\0\0\0\0", "\xff\xff"],
    ...["65535", "65536", "01", "255", "256", "fe80::1%lo"],
  ],

  generate(random) {
    const rest = random.oneIn(2) ? "ssh\r\nSSH-2.0" : "";
    if (random.oneIn(4)) return `${line(random)}${rest}`;
    if (random.oneIn(3)) {
      const kind = random.pick(["\0", "\x11", "\x21", "\x12", "\x31", "\x42"]);
      const command = random.pick(["\x20", "\x21", "\x21", "\x22", "\x11"]);
      const body = textOf(random.bytes(random.size(300))) + facts(random);
      const length = random.oneIn(8) ? random.below(65536) : body.length;
      return `${SIGNATURE}${command}${kind}${two(length)}${body}${rest}`;
    }
    const end = () => ({
      transport: "tcp",
      host: address(random),
      port: random.below(65536),
    } as const);
    const bytes = proxyHeader(2, { remote: end(), local: end() }, {
      authority: "x".repeat(random.size(255)),
      uniqueId: textOf(random.bytes(random.size(128))),
    });
    return textOf(bytes) + rest;
  },

  check(input) {
    const ways = cuts(bytesOf(input));
    const first = read(ways[0]!);
    for (const way of ways) same(read(way), first, "another cut");
    if (!("header" in first)) return;
    const { version, ends, facts } = first.header;
    const length = input.length - first.rest.length;
    check(length <= MOST_HELD + 1, () => `${length} bytes are a header`);
    // What is written of it says the same again.
    const peer = ends ?? { remote: NOBODY, local: NOBODY };
    const again = read([proxyHeader(version, peer, facts)]);
    if (!("header" in again)) throw new Error(shown(again));
    same(again.header.ends, ends, "the ends, read back");
    const { authority, uniqueId } = facts;
    const own = ends === undefined || version === 1
      ? {}
      : { authority: authority || undefined, uniqueId: uniqueId || undefined };
    same(again.header.facts, own, "the facts, read back");
  },
};

type Read =
  | { readonly header: ProxyHeader; readonly rest: string }
  | { readonly state: string };

function read(pieces: readonly Uint8Array[]): Read {
  const reader = new ProxyHeaderReader();
  let held = 0;
  for (const [index, piece] of pieces.entries()) {
    const state = reader.push(piece);
    if (state.state === "header") {
      return { header: state.header, rest: behind(state.rest, pieces, index) };
    }
    if (state.state === "malformed") {
      check(/^[\x20-\x7e]+$/.test(state.why), () => shown(state));
      return { state: state.why };
    }
    held += piece.length;
    check(held <= MOST_HELD, () => `${held} bytes are held`);
  }
  return { state: "more" };
}

function line(random: Random): string {
  if (random.oneIn(4)) {
    return `PROXY UNKNOWN${random.pick(["", " x", "x"])}\r\n`;
  }
  const port = () => String(random.below(70_000));
  const hosts = `${address(random)} ${address(random)}`;
  return `PROXY TCP${random.pick("46")} ${hosts} ${port()} ${port()}\r\n`;
}

function address(random: Random): string {
  if (random.oneIn(2)) return random.bytes(4).join(".");
  const group = () => random.below(65536).toString(16);
  return random.pick([
    Array.from({ length: 8 }, group).join(":"),
    `::${group()}`,
    `${group()}::${group()}:${group()}`,
    `::ffff:${random.bytes(4).join(".")}`,
  ]);
}

function facts(random: Random): string {
  const count = random.size(5);
  return Array.from({ length: count }, () => {
    const value = textOf(random.bytes(random.size(40)));
    const type = random.pick([1, 2, 3, 4, 5, 0x20, 0x21, 0x30, 0xe0]);
    return String.fromCharCode(type) + two(value.length) + value;
  }).join("");
}

function two(length: number): string {
  return String.fromCharCode(length >> 8, length & 0xff);
}
