import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Limits, type Slot, sourceOf } from "../src/policy/limits.ts";

describe("Limits", () => {
  test("serves up to the limit, then refuses, then drops", () => {
    const limits = new Limits();
    const served = [limits.take(2), limits.take(2)];
    assertEquals(served.map(({ verdict }) => verdict), ["serve", "serve"]);
    const refused: Slot[] = [];
    for (;;) {
      const slot = limits.take(2);
      if (slot.verdict === "drop") break;
      assertEquals(slot.verdict, "refuse");
      refused.push(slot);
      assert(refused.length < 10_000, "refusals have no bound");
    }
    assert(refused.length > 0);
    assertEquals(limits.live, 2);
    refused[0]!.release();
    assertEquals(limits.take(2).verdict, "refuse");
    served[0]!.release();
    assertEquals(limits.take(2).verdict, "serve");
  });

  test("follows a limit that a reload changes", () => {
    const limits = new Limits();
    limits.take(2);
    limits.take(2);
    assertEquals(limits.take(1).verdict, "refuse");
    assertEquals(limits.take(3).verdict, "serve");
  });

  test("comes back to nothing in whatever order slots are given back", () => {
    const step = fc.record({ take: fc.boolean(), which: fc.nat() });
    fc.assert(fc.property(
      fc.array(step, { maxLength: 300 }),
      fc.integer({ min: 1, max: 20 }),
      (steps, most) => {
        const limits = new Limits();
        const slots: Slot[] = [];
        for (const { take, which } of steps) {
          if (take) slots.push(limits.take(most));
          else slots.splice(which % (slots.length || 1), 1)[0]?.release();
          const serving = slots.filter(({ verdict }) => verdict === "serve");
          assertEquals(limits.live, serving.length);
          assert(limits.live <= most);
        }
        for (const slot of slots) slot.release();
        assertEquals(limits.live, 0);
      },
    ));
  });

  test("counts each source for itself", () => {
    const limits = new Limits();
    assertEquals([limits.enter("a"), limits.enter("a")], [1, 2]);
    assertEquals(limits.enter("b"), 1);
    limits.leave("a");
    assertEquals(limits.enter("a"), 2);
    limits.leave("b");
    assertEquals(limits.enter("b"), 1);
  });
});

test("a source is an address, or all of a Unix socket", () => {
  assertEquals(sourceOf({ transport: "tcp", host: "::1", port: 5 }), "::1");
  assertEquals(sourceOf({ transport: "unix", path: "" }), "unix");
});
