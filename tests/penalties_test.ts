import { describe, test } from "node:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import type { TableInput } from "../mod.ts";
import { AddressSet } from "../src/policy/access.ts";
import {
  Penalties,
  type PenaltySettings,
  readMaxStartups,
  refusesStartup,
} from "../src/policy/penalties.ts";
import { readLine } from "./support/bytes.ts";
import { type InMemory, inMemory, type Logged } from "./support/in_memory.ts";

const SETTINGS: PenaltySettings = {
  unknown: 2_000,
  malformed: 2_000,
  unfinished: 10_000,
  threshold: 20_000,
  max: 60_000,
  exempt: new AddressSet([]),
};

describe("penalties", () => {
  /** Offends until it is refused; returns for how long. */
  function provoke(penalties: Penalties, now: number): number {
    for (let i = 0; i < 100; i++) {
      penalties.blame("a", "unknown", SETTINGS, now);
      const left = penalties.left("a", now);
      if (left > 0) return left;
    }
    return 0;
  }

  test("come after some offences, and go by themselves", () => {
    const penalties = new Penalties();
    for (let i = 0; i < 9; i++) penalties.blame("a", "unknown", SETTINGS, 0);
    assertEquals(penalties.left("a", 0), 0);
    penalties.blame("a", "unknown", SETTINGS, 0);
    assertEquals(penalties.left("a", 0), 20_000);
    assertEquals(penalties.left("b", 0), 0);
    assertEquals(penalties.left("a", 19_999), 1);
    assertEquals(penalties.left("a", 20_000), 0);
  });

  test("do not come from a mistake now and then", () => {
    const penalties = new Penalties();
    for (let now = 0; now < 3_600_000; now += 2_500) {
      penalties.blame("a", "unknown", SETTINGS, now);
      assertEquals(penalties.left("a", now), 0);
    }
  });

  test("are longer each time, up to a bound", () => {
    const penalties = new Penalties();
    let now = 0;
    const lengths: number[] = [];
    for (let i = 0; i < 5; i++) {
      lengths.push(provoke(penalties, now));
      now += lengths.at(-1)!;
    }
    assertEquals(lengths, [20_000, 40_000, 60_000, 60_000, 60_000]);
    now += SETTINGS.max + 1; // it has behaved for so long
    assertEquals(provoke(penalties, now), 20_000);
  });

  test("an unfinished line counts for more", () => {
    const penalties = new Penalties();
    penalties.blame("a", "unfinished", SETTINGS, 0);
    penalties.blame("a", "unfinished", SETTINGS, 0);
    assertEquals(penalties.left("a", 0), 20_000);
  });

  test("can be switched off, each", () => {
    const penalties = new Penalties();
    const off = { ...SETTINGS, unknown: 0 };
    for (let i = 0; i < 99; i++) penalties.blame("a", "unknown", off, 0);
    assertEquals([penalties.left("a", 0), penalties.size], [0, 0]);
  });

  test("of many sources take bounded room", () => {
    const penalties = new Penalties(100);
    for (let i = 0; i < 1000; i++) {
      penalties.blame(`${i}`, "unknown", SETTINGS, 0);
    }
    assertEquals(penalties.size, 100);
    penalties.blame("new", "unknown", SETTINGS, 10 * SETTINGS.max);
    assertEquals(penalties.size, 1);
  });
});

describe("early refusal", () => {
  test("is a number, or as sshd writes it", () => {
    assertEquals(readMaxStartups("10:30:100"), {
      start: 10,
      percent: 30,
      full: 100,
    });
    assertEquals(readMaxStartups("7"), { start: 7, percent: 100, full: 7 });
    for (const text of ["", "0", "10:30", "10:0:20", "10:101:20", "10:5:9"]) {
      assertEquals(readMaxStartups(text), undefined, text);
    }
  });

  test("never refuses below its start, always at its end", () => {
    const early = { start: 10, percent: 30, full: 100 };
    const counts = fc.nat(200);
    const chance = fc.double({ min: 0, max: 0.999, noNaN: true });
    fc.assert(fc.property(counts, chance, (count, chance) => {
      const refused = refusesStartup(early, count, chance);
      if (count < 10) assert(!refused);
      if (count >= 100) assert(refused);
    }));
  });

  test("grows from its share to certainty", () => {
    const early = { start: 10, percent: 30, full: 110 };
    assertEquals(refusesStartup(early, 10, 0.29), true);
    assertEquals(refusesStartup(early, 10, 0.31), false);
    assertEquals(refusesStartup(early, 60, 0.64), true);
    assertEquals(refusesStartup(early, 60, 0.66), false);
  });
});

const GATEWAY: TableInput = {
  server: {
    listen: "127.0.0.1:7",
    penalties: { exempt: [], unknown: "5s", threshold: "10s" },
  },
  services: { echo: { builtin: "echo" } },
};

describe("a penalty of a source that has sessions", () => {
  const warnings = (set: InMemory) =>
    set.log.filter(({ message }) => message.endsWith("is penalised"));
  const guess = async (set: InMemory, times: number) => {
    for (let i = 0; i < times; i++) await set.ask("nosuch\r\n");
  };

  test("is said once, with the key that exempts it", () =>
    inMemory(GATEWAY, async (set) => {
      const conn = await set.connect("echo\r\n");
      await readLine(conn);
      await guess(set, 1);
      assertEquals(warnings(set), []);
      await guess(set, 3);
      const [{ fields }, ...more] = warnings(set) as [Logged, ...Logged[]];
      assertEquals([fields.source, more], ["127.0.0.1", []]);
      assertStringIncludes(String(fields.reason), "server.penalties.exempt");
      conn.close();
    }));

  test("is nothing to say of one that has none", () =>
    inMemory(GATEWAY, async (set) => {
      await guess(set, 4);
      assertEquals(warnings(set), []);
    }));
});
