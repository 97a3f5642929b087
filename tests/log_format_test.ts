import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  jsonLine,
  type LogFields,
  type LogLine,
  textLine,
} from "../src/log.ts";

const STAMP = "2026-01-02T03:04:05.678Z";

function line(fields: LogFields): LogLine {
  const time = new Date(STAMP);
  return { time, stamp: STAMP, level: "info", message: "connection", fields };
}

/** The fields of a line of text, as somebody's tool would read them. */
function parsed(text: string): Record<string, string> {
  const fields: Record<string, string> = {};
  for (
    const [, key, quoted, bare] of text.matchAll(
      / (\w+)=(?:("(?:[^"\\]|\\.)*")|(\S*))/g,
    )
  ) {
    fields[key!] = quoted === undefined ? bare! : JSON.parse(quoted);
  }
  return fields;
}

describe("a line of the log", () => {
  test("as text", () => {
    assertEquals(
      textLine(line({ conn: 1, ok: true, service: "ssh", none: undefined })),
      "2026-01-02T03:04:05.678Z info  connection conn=1 ok=true service=ssh\n",
    );
  });

  test("as JSON", () => {
    assertEquals(
      jsonLine(line({ conn: 1, service: "ssh", none: undefined })),
      '{"time":"2026-01-02T03:04:05.678Z","level":"info",' +
        '"message":"connection","conn":1,"service":"ssh"}\n',
    );
  });

  test("quotes what is more than a word", () => {
    const rows: [string, string][] = [
      ["a-b_c/d:1", "a-b_c/d:1"],
      ["two words", '"two words"'],
      ['say "x"', '"say \\"x\\""'],
      ["a\nb", '"a\\nb"'],
      ["\x1b[2J", '"\\u001b[2J"'],
      ["\x7f\x9b", '"\\u007f\\u009b"'],
      ["\u202eevil", '"\\u202eevil"'],
      ["\u2028", '"\\u2028"'],
      ["é", '"é"'],
    ];
    for (const [value, written] of rows) {
      const text = textLine(line({ reason: value }));
      assert(text.endsWith(` connection reason=${written}\n`), text);
    }
  });
});

/** What a terminal obeys, a viewer reorders, or a reader takes for a line. */
const DANGEROUS = new RegExp(
  [
    "[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f]",
    "[\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]",
    "[\\u{e0000}-\\u{e0fff}\\u3164]",
    "\\p{Surrogate}",
  ].join("|"),
  "u",
);

const value = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(fc.constantFrom(
    ...["\n", "\r", '"', "\\", " ", "=", "conn=9", "\x1b", "\x9b", "\u2028"],
    ...[
      "\u202e",
      "\ud800",
      "\udc00",
      "\x7f",
      "\0",
      "\u061c",
      "\ufeff",
      "x",
      "\u{e0000}",
      "\u{e0041}",
      "\u3164",
    ],
  )).map((pieces) => pieces.join("")),
);

describe("nothing that a peer sends", () => {
  test("breaks or forges a line of text", () => {
    fc.assert(fc.property(value, value, (service, reason) => {
      const text = textLine(line({ conn: 1, service, reason, last: "end" }));
      assertEquals(text.indexOf("\n"), text.length - 1);
      assert(!DANGEROUS.test(text), JSON.stringify(text));
      assertEquals(parsed(text), {
        conn: "1",
        ...(service === "" ? {} : { service }),
        ...(reason === "" ? {} : { reason }),
        last: "end",
      });
    }));
  });

  test("breaks a line of JSON, which always says what was logged", () => {
    fc.assert(fc.property(value, value, (service, reason) => {
      const text = jsonLine(line({ conn: 1, service, reason }));
      assertEquals(text.indexOf("\n"), text.length - 1);
      assert(!DANGEROUS.test(text), JSON.stringify(text));
      const { conn, message, ...rest } = JSON.parse(text);
      assertEquals([conn, message], [1, "connection"]);
      assertEquals([rest.service, rest.reason], [service, reason]);
    }));
  });
});
