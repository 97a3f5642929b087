/** Makes of an input that is right one that may be wrong. */
import type { Random } from "../tests/support/random.ts";
import type { Target } from "./target.ts";

/** What is special to many readers. */
const BYTES = [
  ...["\r\n", "\n", "\r", "\n\r", "\r\r\n", "\r\n\r\n", "\n\n", "\0", "\x01"],
  ...[" ", "\t", "\x0b", "\x1b[2J", "\x7f", "\x80", "\x85", "\xa0", "\xff"],
  ...[
    "\xff\xfe",
    "\xef\xbb\xbf",
    "\xc0\xaf",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
  ],
  ...["-", "+", "0", "-1", "1e999", "0x10", "00", "4294967296", "HELP", "%00"],
  ...["9".repeat(20), "9".repeat(400), "9007199254740993", "NaN", "Infinity"],
  ...["__proto__", "constructor", "toString", "prototype", "hasOwnProperty"],
];

/** The same for text, which holds more than bytes. */
const TEXT = [
  ...["\u2028", "\ufeff", "\ud800", "\udfff", "\u{1f600}", "\u0130", "\ufb00"],
  ...["\u202e", "\u0661", "\uff11", "\u212a", "\u017f"],
];

const MANY = [2, 3, 16, 255, 256, 257, 1023, 1024, 1025, 5000, 20_000];

/** @param other another input, to be spliced in */
export function mutated(
  input: string,
  other: string,
  random: Random,
  target: Target,
): string {
  let text = input;
  for (let left = 1 + random.size(6); left > 0; left--) {
    text = once(text, other, random, target);
  }
  return text;
}

function once(
  text: string,
  other: string,
  random: Random,
  target: Target,
): string {
  const at = random.below(text.length + 1);
  const end = Math.min(text.length, at + 1 + random.size(40));
  const put = (what: string, until = at) =>
    text.slice(0, at) + what + text.slice(until);
  switch (random.below(12)) {
    case 0: // another byte
      return put(String.fromCharCode(random.below(256)), at + 1);
    case 1: { // a bit of it
      const code = text.charCodeAt(at);
      if (Number.isNaN(code)) return text;
      return put(String.fromCharCode(code ^ (1 << random.below(8))), at + 1);
    }
    case 2: // the connection ends here
      return text.slice(0, at);
    case 3:
      return put("", end);
    case 4: // twice
      return put(text.slice(at, end));
    case 5: { // the end of another one
      return text.slice(0, at) + other.slice(random.below(other.length + 1));
    }
    case 6: { // a piece of another one
      const from = random.below(other.length + 1);
      return put(other.slice(from, from + 1 + random.size(60)), end);
    }
    case 7: { // a long run; rarely, for it costs
      if (!random.oneIn(4)) return put(random.pick(BYTES));
      const what = text.slice(at, at + 1 + random.below(3)) || "a";
      return put(what.repeat(random.pick(MANY)));
    }
    case 8: // other ends of lines
      return text.replaceAll(
        /\r?\n/g,
        random.pick(["\n", "\r\n", "\r", "\r\r\n"]),
      );
    case 9:
      return put(random.pick(target.words), random.oneIn(2) ? at : end);
    case 10:
      return put(random.pick(target.words));
    default: {
      const special = target.binary || random.oneIn(2) ? BYTES : TEXT;
      return put(random.pick(special), random.oneIn(2) ? at : at + 1);
    }
  }
}
