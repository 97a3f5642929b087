import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { after } from "../src/timers.ts";
import { sleep } from "./support/wait.ts";

describe("after", () => {
  test("calls once, not before its time, and in the order of the ends", async () => {
    const calls: string[] = [];
    const begin = performance.now();
    const note = (name: string) => () => {
      calls.push(name);
      assert(performance.now() - begin >= 39, `${name} came too early`);
    };
    after(60, note("last"));
    after(40, note("first"));
    after(40, note("second"));
    await sleep(120);
    assertEquals(calls, ["first", "second", "last"]);
  });

  test("calls nobody who was called off", async () => {
    const calls: number[] = [];
    const waits = Array.from(
      { length: 100 },
      (_, i) => after(30, () => calls.push(i)),
    );
    for (const [i, wait] of waits.entries()) if (i % 10 > 0) wait.cancel();
    waits[1]!.cancel(); // again
    await sleep(80);
    assertEquals(calls, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
  });

  test("goes on when all were called off and new ones come", async () => {
    let calls = 0;
    after(20, () => calls++).cancel();
    await sleep(40);
    after(20, () => calls++);
    await sleep(60);
    assertEquals(calls, 1);
  });

  test("may be asked again from within", async () => {
    const times: number[] = [];
    const begin = performance.now();
    const again = () => {
      times.push(performance.now() - begin);
      if (times.length < 3) after(20, again);
    };
    after(20, again);
    await sleep(150);
    assertEquals(times.length, 3);
    for (const [i, time] of times.entries()) assert(time >= (i + 1) * 20 - 1);
  });

  test("waits for longer than one timer can", async () => {
    let called = false;
    const wait = after(2 ** 32, () => called = true);
    await sleep(30);
    wait.cancel();
    assertEquals(called, false);
  });
});
