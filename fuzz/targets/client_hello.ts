/** The first message of a client of TLS, as a listener reads it. */
import { type Hello, HelloReader } from "../../src/handshake/client_hello.ts";
import type { Random } from "../../tests/support/random.ts";
import { bytesOf, cuts, textOf } from "../cut.ts";
import { check, same, type Target } from "../target.ts";

/** As much as the reader may hold: 16 records, each of 16 KiB. */
const MOST_HELD = 16 * (5 + 16 * 1024);

export const clientHello: Target = {
  name: "client-hello",
  inputs: 1_000_000,
  binary: true,
  words: [
    ...["\x16\x03\x01", "\x16\x03\x03\0\0", "\x15\x03\x03\0\x02\x01\0"],
    ...["\x14\x03\x03\0\x01\x01", "\x01\0\x02\0", "\x03\x03", "\x40\0"],
    ...["\x40\x01", "\0\0\0", "\0\x0e\0\0\x0b", "\xff\xff\xff", "a.example"],
    ...["A.EXAMPLE", ".", "xn--", "a..b", "\0\x10", "SSH-2.0-", "GET / "],
  ],

  generate(random) {
    const hello = two(0x303) + textOf(random.bytes(32)) +
      vector(1, textOf(random.bytes(random.pick([0, 0, 32])))) +
      vector(2, textOf(random.bytes(2 * random.size(20)))) +
      vector(1, "\0") + vector(2, extensions(random));
    const length = random.oneIn(20) ? random.below(1 << 20) : hello.length;
    const message = `\x01${String.fromCharCode(length >> 16)}${two(length)}` +
      hello;
    return inRecords(message, random) + (random.oneIn(4) ? "\x16\x03" : "");
  },

  check(input) {
    const ways = cuts(bytesOf(input));
    const first = read(ways[0]!, input);
    for (const way of ways) {
      const { kind, sni } = read(way, input);
      same([kind, sni], [first.kind, first.sni], "another cut");
    }
    const { sni } = first;
    if (sni === undefined) return;
    check(/^[a-z0-9._-]{1,253}$/.test(sni), () => `the name ${sni}`);
    // The name is the client's own, behind its length, whatever is between.
    const message = withoutRecords(input);
    const names = message.toLowerCase();
    let at = names.indexOf(sni);
    while (at >= 0 && message.slice(at - 2, at) !== two(sni.length)) {
      at = names.indexOf(sni, at + 1);
    }
    check(at >= 2, () => `${sni} is not in it`);
  },
};

/** What became of the pieces, and the name if it has one. */
function read(pieces: readonly Uint8Array[], input: string) {
  const reader = new HelloReader();
  let held = 0;
  let state: Hello = { kind: "more", least: 0 };
  for (const piece of pieces) {
    state = reader.push(piece);
    held += piece.length;
    if (state.kind !== "more") break;
    const { least } = state;
    check(least > held, () => `${held} bytes are no less than ${least}`);
    check(held < MOST_HELD, () => `${held} bytes are held`);
  }
  if (state.kind !== "hello") return { kind: state.kind, sni: undefined };
  check(textOf(state.bytes) === input.slice(0, held), () => "bytes are lost");
  return { kind: "hello", sni: state.sni };
}

function extensions(random: Random): string {
  const all = Array.from({ length: random.size(6) }, () => {
    const size = random.oneIn(500) ? 20_000 : random.size(60);
    const body = textOf(random.bytes(size));
    return two(random.pick([1, 10, 16, 43, 51, 65281])) + vector(2, body);
  });
  const names = random.oneIn(6) ? 2 : random.oneIn(6) ? 0 : 1;
  for (let i = 0; i < names; i++) {
    const kind = random.oneIn(10) ? random.below(256) : 0;
    const name = String.fromCharCode(kind) + vector(2, host(random));
    all.splice(
      random.below(all.length + 1),
      0,
      two(0) + vector(2, vector(2, name)),
    );
  }
  return all.join("");
}

function host(random: Random): string {
  const label = () => "aB3-_xn".slice(random.below(7)).repeat(random.size(9));
  const labels = Array.from({ length: 1 + random.size(4) }, label);
  return labels.join(random.oneIn(9) ? ".." : ".") +
    random.pick(["", "", "", ".", "\0", " ", "é", "\r\n"]);
}

/** The message in one record, or in several. */
function inRecords(message: string, random: Random): string {
  const size = random.oneIn(2)
    ? 16_384
    : 1 + random.below(random.pick([4, 100, 600]));
  let records = "";
  for (let at = 0; at < message.length; at += size) {
    records += `\x16\x03\x01${vector(2, message.slice(at, at + size))}`;
  }
  return records;
}

/** What the records hold, by their own lengths. */
function withoutRecords(input: string): string {
  let message = "";
  for (let at = 0; at + 5 <= input.length;) {
    const length = input.charCodeAt(at + 3) << 8 | input.charCodeAt(at + 4);
    message += input.slice(at + 5, at + 5 + length);
    at += 5 + length;
  }
  return message;
}

/** Behind its length, in one byte or in two. */
function vector(size: 1 | 2, text: string): string {
  return two(text.length).slice(2 - size) + text;
}

function two(length: number): string {
  return String.fromCharCode(length >> 8 & 0xff, length & 0xff);
}
