import { describe, test } from "node:test";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { type Asking, decide } from "../src/policy/decide.ts";
import {
  busy,
  malformed,
  REFUSALS,
  unavailable,
} from "../src/policy/refusal.ts";
import { parseTable } from "../src/table/parse.ts";
import { textLine } from "../src/log.ts";
import { bytes, text } from "./support/bytes.ts";

const TABLE = parseTable(
  `
[services.Zebra]
text = ""
aliases = ["stripes"]
[services.hidden]
text = ""
listed = false
[services.off]
text = ""
aliases = ["out"]
enabled = false
[services.apple]
text = ""
`,
  "f",
);
const ASKING: Asking = {
  peer: { remote: { transport: "tcp", host: "192.0.2.1", port: 4000 } },
  now: 0,
};
const NO_HELP = parseTable("server.help = false\nservices.a.text = ''", "f");

describe("decide", () => {
  for (const name of ["zebra", "ZEBRA", "Stripes"]) {
    test(`serves ${name}`, () => {
      const decision = decide(TABLE, name, ASKING);
      assert(decision.kind === "serve");
      assertEquals(decision.service.name, "Zebra");
    });
  }

  for (const name of ["HELP", "help", "hElP"]) {
    test(`answers ${name} with what is listed, in table order`, () => {
      assertEquals(decide(TABLE, name, ASKING), {
        kind: "help",
        text: bytes("Zebra\r\napple\r\n"),
      });
    });
  }

  test("says the same of all that may not be used, but not to the log", () => {
    const refusals = [
      decide(TABLE, "nosuch", ASKING),
      decide(TABLE, "off", ASKING),
      decide(TABLE, "OUT", ASKING),
      decide(NO_HELP, "help", ASKING),
    ].map((decision) => {
      assert(decision.kind === "refuse");
      return decision;
    });
    assertEquals(new Set(refusals.map(({ text }) => text)).size, 1);
    assertEquals(refusals.map(({ outcome }) => outcome), [
      "unknown",
      "denied",
      "denied",
      "denied",
    ]);
    assertNotEquals(refusals[0]!.reason, refusals[1]!.reason);
  });

  test("says nothing back of a name that is not known", () => {
    const name = fc.string({ unit: "grapheme-ascii", minLength: 1 });
    fc.assert(fc.property(name, (name) => {
      const decision = decide(TABLE, name, ASKING);
      if (decision.kind !== "refuse") return;
      assertEquals(decision.text, "Service not available");
      const fields = { reason: decision.reason };
      const time = new Date();
      const stamp = time.toISOString();
      const line = { time, stamp, level: "info", message: "", fields };
      assertEquals(textLine({ ...line, level: "info" }).split("\n").length, 2);
    }));
  });
});

describe("access", () => {
  const table = parseTable(
    `
[server]
deny = ["198.51.100.0/24"]
[services.open]
text = ""
[services.inside]
text = ""
allow = ["192.0.2.0/24"]
deny = ["192.0.2.9"]
[services.days]
text = ""
hours = ["08:00-18:00"]
time_zone = "UTC"
[services.hidden]
text = ""
allow = ["192.0.2.0/24"]
listed = false
`,
    "f",
  );
  const NOON = Date.UTC(2026, 0, 5, 12);
  const names = ["open", "inside", "days", "hidden", "nosuch"];
  const allowed = (asking: Asking) =>
    names.filter((name) => decide(table, name, asking).kind === "serve");
  const help = (asking: Asking) => {
    const decision = decide(table, "HELP", asking);
    assert(decision.kind === "help");
    return text(decision.text).split("\r\n").slice(0, -1);
  };
  const from = (host: string, now = NOON): Asking => ({
    peer: { remote: { transport: "tcp", host, port: 9 } },
    now,
  });
  const cases: [string, Asking, string[]][] = [
    ["inside", from("192.0.2.8"), ["open", "inside", "days", "hidden"]],
    ["inside, but denied", from("192.0.2.9"), ["open", "days", "hidden"]],
    ["outside", from("203.0.113.1"), ["open", "days"]],
    ["outside, by IPv6", from("2001:db8::1"), ["open", "days"]],
    ["denied by the server", from("198.51.100.7"), []],
    ["at night", from("203.0.113.1", NOON + 9 * 3_600_000), ["open"]],
    [
      "on a Unix socket",
      { peer: { remote: { transport: "unix", path: "" } }, now: NOON },
      ["open", "inside", "days", "hidden"],
    ],
  ];
  for (const [who, asking, expected] of cases) {
    test(`who is ${who} gets ${expected.join(" ") || "nothing"}`, () => {
      assertEquals(allowed(asking), expected);
      const listed = expected.filter((name) => name !== "hidden");
      assertEquals(help(asking), listed);
    });
  }

  test("the log names what kept a client out; the client hears nothing", () => {
    const reasons = [
      decide(table, "open", from("198.51.100.7")),
      decide(table, "inside", from("192.0.2.9")),
      decide(table, "inside", from("203.0.113.1")),
      decide(table, "days", from("203.0.113.1", NOON + 9 * 3_600_000)),
    ].map((decision) => {
      assert(decision.kind === "refuse");
      assertEquals(
        [decision.outcome, decision.text],
        ["denied", "Service not available"],
      );
      return decision.reason;
    });
    assertEquals(reasons, [
      "198.51.100.7 is in server.deny",
      "192.0.2.9 is in deny of inside",
      "203.0.113.1 is not in allow of inside",
      "the service days is outside its hours",
    ]);
  });
});

test("every refusal is one line of printable ASCII", () => {
  const all = [
    ...Object.values(REFUSALS),
    malformed("bad_byte", "x"),
    unavailable("x"),
    busy("rate", "x"),
  ];
  for (const { kind, text, reason } of all) {
    assertEquals(kind, "refuse");
    assert(/^[\x20-\x7e]+$/.test(text), text);
    assert(reason !== "");
  }
  assertEquals(unavailable("secret").text.includes("secret"), false);
});
