import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  helpText,
  MAX_NAME,
  negative,
  positive,
  ReplyReader,
  type ReplyState,
  requestLine,
  RequestReader,
  type RequestState,
} from "../src/wire.ts";
import { bytes, text } from "./support/bytes.ts";

type State = RequestState | ReplyState;
interface Reader<S extends State> {
  push(bytes: Uint8Array): S;
}

/** Reads in these pieces until the reader is done; `rest` has what follows. */
function read<S extends State>(
  reader: Reader<S>,
  pieces: readonly Uint8Array[],
): Record<string, unknown> {
  for (const [index, piece] of pieces.entries()) {
    const state = reader.push(piece);
    if (state.state === "more") continue;
    if (!("rest" in state)) return { ...state };
    const behind = pieces.slice(index + 1).map(text).join("");
    return { ...state, rest: text(state.rest) + behind };
  }
  return { state: "more" };
}

function request(...pieces: string[]): Record<string, unknown> {
  return read(new RequestReader(), pieces.map(latin1));
}

function reply(...pieces: string[]): Record<string, unknown> {
  return read(new ReplyReader(), pieces.map(latin1));
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** Bytes that lie near what the readers look for, and where they are cut. */
const stream = fc.array(
  fc.oneof(
    fc.constantFrom(0x0d, 0x0a, 0x2b, 0x2d, 0x00, 0x7f, 0x80),
    fc.integer({ min: 0x20, max: 0x7e }),
    fc.integer({ min: 0, max: 255 }),
  ),
  { maxLength: 600 },
).map((list) => Uint8Array.from(list));
const cuts = fc.array(fc.nat(600), { maxLength: 8 });

function cut(whole: Uint8Array, at: readonly number[]): Uint8Array[] {
  const edges = [0, ...at.map((edge) => Math.min(edge, whole.length))]
    .sort((a, b) => a - b);
  return edges.map((edge, index) => whole.slice(edge, edges[index + 1]));
}

describe("RequestReader", () => {
  const rows: [string, string, Record<string, unknown>][] = [
    ["CRLF", "echo\r\n", { state: "line", name: "echo", rest: "" }],
    ["bare LF", "echo\n", { state: "line", name: "echo", rest: "" }],
    ["leftover", "a\r\n\r\nb", { state: "line", name: "a", rest: "\r\nb" }],
    ["binary leftover", "a\n\xff\0", {
      state: "line",
      name: "a",
      rest: "\xff\0",
    }],
    ["a blank inside", "a b\r\n", { state: "line", name: "a b", rest: "" }],
    ["255 bytes", "x".repeat(255) + "\r\n", {
      state: "line",
      name: "x".repeat(255),
      rest: "",
    }],
    ["255 bytes and LF", "x".repeat(255) + "\n", {
      state: "line",
      name: "x".repeat(255),
      rest: "",
    }],
  ];
  for (const [what, input, expected] of rows) {
    test(`takes ${what}`, () => assertEquals(request(input), expected));
  }

  const wrong: [string, string, string][] = [
    ["256 bytes and CRLF", "x".repeat(256) + "\r\n", "longer than 255"],
    ["256 bytes and LF", "x".repeat(256) + "\n", "longer than 255"],
    ["256 bytes without an end", "x".repeat(256), "longer than 255"],
    ["no name", "\r\n", "empty"],
    ["LF alone", "\n", "empty"],
    ["two CRs", "a\r\r\n", "0x0d"],
    ["a CR inside", "a\rb\n", "0x0d"],
    ["NUL", "a\0\r\n", "0x00"],
    ["tab", "a\tb\r\n", "0x09"],
    ["DEL", "\x7f\r\n", "0x7f"],
    ["UTF-8", "\xc3\xa9\r\n", "0xc3"],
    ["TLS", "\x16\x03\x01", "0x16"],
  ];
  for (const [what, input, why] of wrong) {
    test(`refuses ${what}`, () => {
      const got = request(input);
      assertEquals(got["state"], "malformed");
      assert(String(got["why"]).includes(why), String(got["why"]));
    });
  }

  test("every cut of any bytes gives the same", () => {
    fc.assert(fc.property(stream, cuts, (whole, at) => {
      const name = (state: Record<string, unknown>) => ({
        ...state,
        why: undefined, // which of two faults is seen first may differ
      });
      assertEquals(
        name(read(new RequestReader(), cut(whole, at))),
        name(read(new RequestReader(), [whole])),
      );
    }));
  });

  test("a line byte by byte loses nothing behind it", () => {
    fc.assert(fc.property(stream, (rest) => {
      const whole = new Uint8Array([...requestLine("Name"), ...rest]);
      const pieces = [...whole].map((byte) => Uint8Array.of(byte));
      assertEquals(read(new RequestReader(), pieces), {
        state: "line",
        name: "Name",
        rest: text(rest),
      });
    }));
  });

  test("asks for more at every offset before the end", () => {
    const line = requestLine("x".repeat(MAX_NAME));
    for (let end = 0; end < line.length; end++) {
      const reader = new RequestReader();
      assertEquals(reader.push(line.slice(0, end)), { state: "more" });
      assertEquals(reader.started, end > 0);
    }
  });

  test("a line without end is refused before it fills the memory", () => {
    const reader = new RequestReader();
    let pushed = 0;
    while (reader.push(bytes("a")).state === "more") pushed++;
    assertEquals(pushed, MAX_NAME);
  });

  test("holds no more than it needs of a large buffer", () => {
    const buffer = new Uint8Array(64 * 1024).fill(0x61);
    const reader = new RequestReader();
    reader.push(buffer.subarray(0, 3));
    buffer.fill(0x62); // whoever reads into one buffer may use it again
    assertEquals(reader.push(bytes("\r\n")), {
      state: "line",
      name: "aaa",
      rest: new Uint8Array(0),
    });
  });
});

describe("ReplyReader", () => {
  const rows: [string, string, Record<string, unknown>][] = [
    ["+", "+Go\r\n", { positive: true, message: "Go", rest: "" }],
    ["-", "-No such\r\nx", { positive: false, message: "No such", rest: "x" }],
    ["no message", "+\r\n", { positive: true, message: "", rest: "" }],
    ["bare LF", "-\n\n", { positive: false, message: "", rest: "\n" }],
    ["unprintable bytes", "+a\x1b[2J\xff\r\r\n", {
      positive: true,
      message: "a?[2J??",
      rest: "",
    }],
  ];
  for (const [what, input, expected] of rows) {
    test(`takes ${what}`, () => {
      assertEquals(reply(input), { state: "reply", ...expected });
    });
  }

  for (const input of ["SSH-2.0", "\r\n", "\0", "220 smtp\r\n"]) {
    test(`refuses ${JSON.stringify(input)} as no reply`, () => {
      assertEquals(reply(input)["state"], "malformed");
    });
  }

  test("every cut of any bytes gives the same", () => {
    fc.assert(fc.property(stream, cuts, (whole, at) => {
      assertEquals(
        read(new ReplyReader(), cut(whole, at)),
        read(new ReplyReader(), [whole]),
      );
    }));
  });

  test("a message is printable whatever was sent", () => {
    fc.assert(fc.property(stream, (rest) => {
      const got = reply("-", text(rest), "\n");
      if (got["state"] !== "reply") return;
      assert(/^[\x20-\x7e]*$/.test(String(got["message"])));
    }));
  });

  test("a reply without end is refused before it fills the memory", () => {
    const reader = new ReplyReader();
    reader.push(bytes("+"));
    let pushed = 0;
    while (reader.push(bytes("a")).state === "more") pushed++;
    assert(pushed < 2000, `${pushed} bytes were held`);
  });

  test("the longest reply is as long however it is cut", () => {
    for (const length of [1000, 1021, 1022, 1023, 1024, 1025, 5000]) {
      const whole = "+" + "a".repeat(length) + "\r\n";
      assertEquals(reply(...whole)["state"], reply(whole)["state"], whole);
    }
  });
});

test("what a server and a client write", () => {
  assertEquals(text(positive("Go")), "+Go\r\n");
  assertEquals(text(positive("")), "+\r\n");
  assertEquals(text(negative("No")), "-No\r\n");
  assertEquals(text(helpText(["a", "B"])), "a\r\nB\r\n");
  assertEquals(text(helpText([])), "");
  assertEquals(text(requestLine("a")), "a\r\n");
});
