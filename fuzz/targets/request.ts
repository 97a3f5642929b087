/** The line of RFC 1078, as a server reads it. */
import type { Random } from "../../tests/support/random.ts";
import { negative, requestLine, RequestReader } from "../../src/wire.ts";
import { malformed } from "../../src/policy/refusal.ts";
import { behind, bytesOf, cuts, textOf } from "../cut.ts";
import { check, same, type Target } from "../target.ts";

/** The longest legal line, the LF left out. */
const MOST_HELD = 256;

export const request: Target = {
  name: "request",
  inputs: 1_000_000,
  binary: true,
  words: [
    "HELP\r\n",
    "echo\r\n",
    "\r\n",
    "\n",
    "a".repeat(255),
    "a".repeat(256),
  ],

  generate(random) {
    const end = random.pick(["\r\n", "\n", "\r\n", ""]);
    return name(random) + end + (random.oneIn(2) ? name(random) : "");
  },

  check(input) {
    const bytes = bytesOf(input);
    const ways = cuts(bytes);
    const first = read(ways[0]!);
    for (const way of ways) same(read(way), first, "another cut");
    const wish = expected(input);
    same(first.state === "malformed" ? first.state : first, wish, "it is");
    if (first.state !== "line") return;
    // What was read, written again, is read as the same.
    const again = textOf(requestLine(first.name, bytesOf(first.rest)));
    same(read([bytesOf(again)]), first, "read back");
  },
};

function name(random: Random): string {
  const length = random.oneIn(6) ? 250 + random.below(10) : random.size(30);
  const codes = Array.from({ length }, () => 0x21 + random.below(94));
  return String.fromCharCode(...codes);
}

type Read =
  | { state: "line"; name: string; rest: string }
  | { state: "malformed"; why: string }
  | { state: "more" };

function read(pieces: readonly Uint8Array[]): Read {
  const reader = new RequestReader();
  let held = 0;
  for (const [index, piece] of pieces.entries()) {
    const state = reader.push(piece);
    if (state.state === "malformed") {
      const reply = textOf(negative(malformed(state.code, state.why).text));
      check(/^-[\x20-\x7e]+\r\n$/.test(reply), () => `the reply ${reply}`);
      check(/^[\x20-\x7e]+$/.test(state.why), () => `the reason ${state.why}`);
      return { ...state };
    }
    if (state.state === "line") {
      const { name } = state;
      return { state: "line", name, rest: behind(state.rest, pieces, index) };
    }
    held += piece.length;
    check(held <= MOST_HELD, () => `${held} bytes are held`);
    check(reader.started === held > 0, () => "started is wrong");
  }
  return { state: "more" };
}

/** RFC 1078 and the README, said once more in another way. */
function expected(input: string): Read | "malformed" {
  const end = input.indexOf("\n");
  const line = end < 0 ? input : input.slice(0, end);
  const name = line.endsWith("\r") ? line.slice(0, -1) : line;
  const legal = /^[\x20-\x7e]{0,255}$/.test(name);
  if (end < 0 && legal && line.length <= MOST_HELD) return { state: "more" };
  if (end < 0 || !legal || name === "") return "malformed";
  return { state: "line", name, rest: input.slice(end + 1) };
}
