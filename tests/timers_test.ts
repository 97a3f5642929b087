import { spawn } from "node:child_process";
import process from "node:process";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { type Expiring, type Timer, TimerList } from "../src/timers.ts";
import { sleep } from "./support/wait.ts";

const TIMERS = new URL("../src/timers.ts", import.meta.url).href;

const timers = new TimerList();

function after(milliseconds: number, expiring: Expiring): Timer {
  const timer = timers.after(milliseconds, expiring);
  assert(timer !== undefined);
  return timer;
}

describe("a list of timers", () => {
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

  test("sets no limit of 0 milliseconds", async () => {
    let called = false;
    assertEquals(timers.after(0, () => called = true), undefined);
    await sleep(30);
    assertEquals(called, false);
  });

  test("waits for longer than one timer can", async () => {
    let called = false;
    const wait = after(2 ** 32, () => called = true);
    await sleep(30);
    wait.cancel();
    assertEquals(called, false);
  });

  test("calls a method as well as a function", async () => {
    const expiring = { calls: 0, expired: () => expiring.calls++ };
    after(20, expiring);
    await sleep(60);
    assertEquals(expiring.calls, 1);
  });

  test("tells whether a wait was still waiting", async () => {
    const wait = after(20, () => {});
    assertEquals([wait.cancel(), wait.cancel()], [true, false]);
    const over = after(20, () => {});
    await sleep(60);
    assertEquals(over.cancel(), false);
  });

  test("calls the others when one of them throws", async () => {
    const { code, out } = await run(`
      const say = (word) => console.log(word);
      process.on("uncaughtException", (error) => say(error.message));
      timers.after(50, () => { throw new TypeError("a mistake"); });
      timers.after(50, () => say("behind it"));
      setTimeout(() => timers.after(50, () => say("later")), 20);`);
    assertEquals([code, out], [0, "a mistake\nbehind it\nlater\n"]);
  });

  test("keeps no program alive once all are called off", async () => {
    const begin = performance.now();
    const { code } = await run(`
      const waits = [1, 2, 3].map(() => timers.after(60_000, () => {}));
      for (const wait of waits) wait.cancel();`);
    assertEquals(code, 0);
    assert(performance.now() - begin < 30_000);
  });
});

/** Runs a program with a list of timers on the runtime of this test. */
function run(program: string): Promise<{ code: unknown; out: string }> {
  const source = `
    import process from "node:process";
    import { TimerList } from ${JSON.stringify(TIMERS)};
    const timers = new TimerList();
    ${program}`;
  const words = "Deno" in globalThis
    ? ["eval", "--ext=ts", source]
    : "Bun" in globalThis
    ? ["-e", source]
    : ["--input-type=module", "-e", source];
  const child = spawn(process.execPath, words, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let out = "";
  child.stdout.on("data", (chunk) => out += chunk);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out }));
  });
}
