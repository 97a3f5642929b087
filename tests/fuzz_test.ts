/** What `npm run fuzz` found once, and some thousand inputs more. */
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { fuzz, verdict } from "../fuzz/engine.ts";
import type { Target } from "../fuzz/target.ts";
import { TARGETS } from "../fuzz/targets/all.ts";
import { freshSeed } from "./support/random.ts";

interface Case {
  readonly target: string;
  readonly input: string;
  /** What was wrong. */
  readonly why: string;
}

const CASES: Case[] = JSON.parse(
  readFileSync(new URL("./fuzz/cases.json", import.meta.url), "utf8"),
);

/** The same at each run, and another one. */
const SEEDS = [1078, freshSeed()];

console.log(`fuzz: seeds ${SEEDS.join(" and ")}`);

/** Inputs for a target that can take a million. */
const INPUTS = 1_500;

describe("what the fuzzer has found stays good", () => {
  for (const { target: name, input, why } of CASES) {
    test(`${name}: ${why}`, async () => {
      const target = TARGETS.find((target) => target.name === name);
      assert(target !== undefined, `there is no ${name}`);
      const error = await verdict(target, input);
      if (error !== undefined) throw error;
    });
  }
});

describe(`the fuzzer finds nothing, with the seeds ${SEEDS.join(" and ")}`, () => {
  for (const target of TARGETS) {
    test(target.name, async () => {
      const inputs = Math.max(200, INPUTS * target.inputs / 1_000_000);
      for (const seed of SEEDS) {
        const { found } = await fuzz(target, { inputs, seed });
        assertEquals(found, undefined, `npm run fuzz -- --seed=${seed}`);
      }
    });
  }
});

describe("the fuzzer", () => {
  const planted: Target = {
    name: "planted",
    inputs: 1,
    binary: true,
    words: ["b"],
    generate: (random) => String.fromCharCode(...random.bytes(20)),
    check(input) {
      if (/x[^]*\xff/.test(input)) throw new Error("found");
    },
  };

  test("finds a planted fault, and makes it short", async () => {
    const { found } = await fuzz(planted, { inputs: 100_000, seed: 1 });
    assertEquals(found?.input, "x\xff");
  });

  test("gives the same inputs for the same seed, and others for another", async () => {
    const seen = async (seed: number) => {
      const inputs: string[] = [];
      const check = (input: string) => void inputs.push(input);
      await fuzz({ ...planted, check }, { inputs: 50, seed });
      return inputs.join("\n");
    };
    assertEquals(await seen(7), await seen(7));
    assert(await seen(7) !== await seen(8));
  });

  test("notices a key on all objects, and takes it away", async () => {
    const proto = Object.prototype as unknown as Record<string, unknown>;
    const check = () => void (proto["polluted"] = true);
    const error = await verdict({ ...planted, check }, "");
    assert(error instanceof Error && /polluted/.test(error.message));
    assert(!("polluted" in {}));
  });
});
