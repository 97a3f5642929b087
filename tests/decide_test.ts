import { describe, test } from "node:test";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import {
  decide,
  malformed,
  REFUSALS,
  unavailable,
} from "../src/policy/decide.ts";
import { parseTable } from "../src/table/parse.ts";
import { textLine } from "../src/log_format.ts";

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
const NO_HELP = parseTable("server.help = false\nservices.a.text = ''", "f");

describe("decide", () => {
  for (const name of ["zebra", "ZEBRA", "Stripes"]) {
    test(`serves ${name}`, () => {
      const decision = decide(TABLE, name);
      assert(decision.kind === "serve");
      assertEquals(decision.service.name, "Zebra");
    });
  }

  for (const name of ["HELP", "help", "hElP"]) {
    test(`answers ${name} with what is listed, in table order`, () => {
      assertEquals(decide(TABLE, name), {
        kind: "help",
        names: ["Zebra", "apple"],
      });
    });
  }

  test("says the same of all that may not be used, but not to the log", () => {
    const refusals = [
      decide(TABLE, "nosuch"),
      decide(TABLE, "off"),
      decide(TABLE, "OUT"),
      decide(NO_HELP, "help"),
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
      const decision = decide(TABLE, name);
      if (decision.kind !== "refuse") return;
      assertEquals(decision.text, "Service not available");
      const fields = { reason: decision.reason };
      const line = { time: new Date(), level: "info", message: "", fields };
      assertEquals(textLine({ ...line, level: "info" }).split("\n").length, 2);
    }));
  });
});

test("every refusal is one line of printable ASCII", () => {
  const all = [...Object.values(REFUSALS), malformed("x"), unavailable("x")];
  for (const { kind, text, reason } of all) {
    assertEquals(kind, "refuse");
    assert(/^[\x20-\x7e]+$/.test(text), text);
    assert(reason !== "");
  }
  assertEquals(unavailable("secret").text.includes("secret"), false);
});
