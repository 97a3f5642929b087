/** Whatever text is given as a table: it is one, or it says where it is not. */
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { TableError } from "../src/table/problem.ts";
import { parseTable } from "../src/table/parse.ts";

const EXAMPLE = readFileSync(new URL("../services.toml", import.meta.url), {
  encoding: "utf8",
});
const LINES = EXAMPLE.split("\n");
const TOKENS = EXAMPLE.match(/\w+|\s+|[^\w\s]/g)!;

/** Pieces that mean something to TOML, to the table or to the language. */
const piece = fc.constantFrom(
  ...["[", "]", "[[", "]]", "{", "}", "=", ".", ",", '"', "'", '"""', "'''"],
  ...["#", "\n", "\r", "\r\n", "\\", "\0", "\uFEFF", "\u2028", "\ud800", " "],
  ...["__proto__", "constructor", "[services.__proto__.x]\n", "toString = 1\n"],
  ...["1979-05-27", "07:32:00", "1e999", "-0", "0x", "nan", "9".repeat(400)],
  ...["[".repeat(200), "{a=".repeat(200), "a.".repeat(200), "\\uD800"],
  ...["[server]\n", "[[services]]\n", "[services.a]\n", "exec = []\n"],
  ...["connect = [1, 'x']\n", "env = {}\n", "services = 1\n", "\\U00110000"],
);

/** Edits of a list: leave out, double, replace or insert at a place. */
const edits = fc.array(
  fc.tuple(fc.nat(), fc.constantFrom(0, 1, 2, 3), piece),
  { minLength: 1, maxLength: 6 },
);

function edited(
  parts: readonly string[],
  changes: readonly (readonly [number, number, string])[],
): string {
  const list = [...parts];
  for (const [place, kind, text] of changes) {
    const at = place % (list.length + 1);
    const old = list[at] ?? "";
    list.splice(
      at,
      kind === 3 ? 0 : 1,
      ...[[], [old, "\n", old], [text], [text]][kind]!,
    );
  }
  return list.join(parts === LINES ? "\n" : "");
}

/** It either is a table or throws problems that have a place in it. */
function holds(text: string): void {
  try {
    parseTable(text, "f");
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    const lines = text.split("\n").length;
    assert(error.problems.length > 0);
    for (const { file, line, message } of error.problems) {
      assertEquals(file, "f");
      assert(message !== "");
      assert(line! >= 1 && line! <= lines, `line ${line} of ${lines}`);
    }
  }
  const spoilt = Object.keys(Object.prototype);
  for (const key of spoilt) delete (Object.prototype as never)[key];
  assertEquals(spoilt, [], "every object has got a key");
}

describe("parseTable throws nothing but a TableError with lines", () => {
  test("for any text", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), holds));
  });

  test("for any pieces of TOML", () => {
    const text = fc.array(fc.oneof(piece, fc.constantFrom(...TOKENS)));
    fc.assert(
      fc.property(text, (pieces) => holds(pieces.join(""))),
      { numRuns: 500 },
    );
  });

  test("for the example with other tokens", () => {
    fc.assert(
      fc.property(edits, (changes) => holds(edited(TOKENS, changes))),
      { numRuns: 300 },
    );
  });

  test("for the example with other lines", () => {
    fc.assert(
      fc.property(edits, (changes) => holds(edited(LINES, changes))),
      { numRuns: 300 },
    );
  });

  for (const deep of ["[", "{a=", "{'a'=[", "a.", "[[", "[a.", "'''", "\\"]) {
    for (const before of ["", "x = ", "[services.a]\nbuiltin = "]) {
      for (const count of [3_000, 20_000]) {
        test(`for ${count} times ${deep} behind ${JSON.stringify(before)}`, () => {
          holds(before + deep.repeat(count));
          const open = deep.replaceAll(/[^[{]/g, "");
          const close = [...open].reverse().map((c) => c === "[" ? "]" : "}");
          holds(
            before + deep.repeat(count) + "1" + close.join("").repeat(count),
          );
        });
      }
    }
  }
});
