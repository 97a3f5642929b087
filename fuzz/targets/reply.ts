/** What a server answers, as a client reads it. */
import { positive, ReplyReader, TLS_WAYS } from "../../src/wire.ts";
import { behind, bytesOf, cuts } from "../cut.ts";
import { check, same, type Target } from "../target.ts";

/** Bytes of the longest reply, the LF left out. */
const MOST = 1023;

export const reply: Target = {
  name: "reply",
  inputs: 1_000_000,
  binary: true,
  words: ["+", "-", "+Go\r\n", "-No\r\n", "\r\n", "\0", "a".repeat(1020)],

  generate(random) {
    const length = random.oneIn(8) ? 1015 + random.below(12) : random.size(60);
    const codes = Array.from({ length }, () => 0x20 + random.below(95));
    const text = String.fromCharCode(...codes);
    const sign = random.pick(["+", "-", "+", "-", ""]);
    const end = random.pick(["\r\n", "\n", "\r\n", ""]);
    return `${sign}${text}${end}${random.oneIn(2) ? `\0SSH-2.0${text}` : ""}`;
  },

  check(input) {
    const bytes = bytesOf(input);
    const ways = cuts(bytes);
    const first = read(ways[0]!);
    for (const way of ways) same(read(way), first, "another cut");
    same(first, expected(input), "the reply");
    if (!("message" in first)) return;
    same(
      read([positive(first.message)]),
      first.message.length < MOST - 1
        ? { ...first, positive: true, rest: "" }
        : read([positive(first.message)]),
      "read back",
    );
  },
};

type Read =
  | { positive: boolean; message: string; rest: string }
  | { state: string };

function read(pieces: readonly Uint8Array[]): Read {
  const reader = new ReplyReader();
  let held = 0;
  for (const [index, piece] of pieces.entries()) {
    const state = reader.push(piece);
    if (state.state === "reply") {
      const { positive, message } = state;
      return { positive, message, rest: behind(state.rest, pieces, index) };
    }
    if (state.state === "malformed") return { state: state.why };
    held += piece.length;
    check(held <= MOST, () => `${held} bytes are held`);
  }
  return { state: "more" };
}

function expected(input: string): Read {
  // An alert of TLS begins with it.
  if (input.startsWith("\x15")) {
    return { state: `it speaks TLS (connect to it by TLS: ${TLS_WAYS})` };
  }
  if (input !== "" && !/^[+-]/.test(input)) {
    return { state: "the reply does not begin with + or -" };
  }
  const end = input.indexOf("\n");
  const line = end < 0 ? input : input.slice(0, end);
  if (line.length > MOST) return { state: "the reply line is too long" };
  if (end < 0) return { state: "more" };
  const message = line.slice(1).replace(/\r$/, "")
    .replace(/[^\x20-\x7e]/g, "?");
  return {
    positive: line[0] === "+",
    message: line === "\r" ? "" : message,
    rest: input.slice(end + 1),
  };
}
