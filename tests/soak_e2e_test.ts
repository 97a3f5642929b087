/** A few seconds of `npm run soak`: some of everything, all at once. */
import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { soak } from "../soak/soak.ts";
import { needs } from "./support/needs.ts";
import { freshSeed } from "./support/random.ts";

test(
  "mixed load, reloads and clients that break off lose no byte and leak nothing",
  needs("sha256sum"),
  async () => {
    const seed = freshSeed();
    console.log(`soak: seed ${seed}`);
    const report = await soak({
      seconds: 8,
      seed,
      clients: 12,
      slack: 400, // a heap that has not settled yet says little
      say: () => {},
    });
    assertEquals(report.faults, []);
    assert(
      report.counts.exchanges > 20,
      `${report.counts.exchanges} exchanges`,
    );
    assert(report.compared > 2, `${report.compared} records`);
    assert(report.reloads > 0, `${report.reloads} reloads`);
  },
);
