import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { Ending } from "../src/transport/cancel.ts";

describe("Ending", () => {
  test("tells each listener once, with the first reason", () => {
    const ending = new Ending();
    const told: unknown[] = [];
    ending.addEventListener("abort", () => told.push(ending.reason));
    ending.addEventListener("abort", () => told.push("second"));
    ending.abort("why");
    ending.abort("again");
    assertEquals(told, ["why", "second"]);
    assertEquals([ending.aborted, ending.reason], [true, "why"]);
  });

  test("tells nobody who has left, or who came too late", () => {
    const ending = new Ending();
    const told: string[] = [];
    const left = () => told.push("left");
    ending.addEventListener("abort", left);
    ending.addEventListener("abort", () => told.push("stayed"));
    ending.removeEventListener("abort", left);
    ending.removeEventListener("abort", left);
    ending.abort();
    ending.addEventListener("abort", () => told.push("late"));
    assertEquals(told, ["stayed"]);
  });

  test("is a signal of the platform's too, before and after", () => {
    const before = new Ending();
    const { signal } = before;
    assertEquals(signal.aborted, false);
    before.abort("why");
    assertEquals([signal.aborted, signal.reason], [true, "why"]);
    const after = new Ending();
    after.abort("why");
    assertEquals([after.signal.aborted, after.signal.reason], [true, "why"]);
  });
});
