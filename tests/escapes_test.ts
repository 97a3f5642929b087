import { describe, test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { readEscapes, visibleBesideBars } from "../src/cli/probe.ts";
import { visible } from "../src/log.ts";
import { TcpmuxError } from "../src/errors.ts";

describe("readEscapes", () => {
  for (
    const [input, bytes] of [
      ["", []],
      ["ab", [0x61, 0x62]],
      ["\\r\\n\\t\\\\", [13, 10, 9, 0x5c]],
      ["\\x00\\xfFa", [0, 255, 0x61]],
      ["\\\\x41", [0x5c, 0x78, 0x34, 0x31]],
      ["é", [0xc3, 0xa9]],
    ] as [string, number[]][]
  ) {
    test(`takes ${input}`, () => {
      assertEquals([...readEscapes(input)], bytes);
    });
  }

  for (const input of ["\\", "\\q", "\\x1", "\\xgg", "a\\ b", "\\\n"]) {
    test(`refuses ${JSON.stringify(input)}`, () => {
      assertThrows(() => readEscapes(input), TcpmuxError, "unknown escape");
    });
  }
});

describe("visible", () => {
  test("leaves nothing but printable ASCII", () => {
    assertEquals(
      visible("a|b\r\n\x1b\xff€😀"),
      "a|b\\x0d\\x0a\\x1b\\xff\\u{20ac}\\u{1f600}",
    );
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
      assertEquals(/[^\x20-\x7e]/.test(visible(text)), false);
      assertEquals(/[^\x20-\x7e]|\|/.test(visibleBesideBars(text)), false);
    }));
  });
});
