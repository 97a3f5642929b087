import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Bucket, Buckets, type Rate, readRate } from "../src/policy/rate.ts";

function rate(text: string): Rate {
  const read = readRate(text);
  assert(read !== undefined, text);
  return read;
}

describe("rates", () => {
  test("are so many in a second, a minute or an hour", () => {
    assertEquals(rate("50/s"), { perMillisecond: 0.05, burst: 50 });
    assertEquals(rate("60/m"), { perMillisecond: 0.001, burst: 60 });
    assertEquals(rate("3600/h burst 5"), { perMillisecond: 0.001, burst: 5 });
  });

  for (const text of ["", "50", "0/s", "5/d", "5/s burst 0", "-1/s", "1.5/s"]) {
    test(`are not ${JSON.stringify(text)}`, () => {
      assertEquals(readRate(text), undefined);
    });
  }

  test("let a burst through, and then no more than they say", () => {
    const ten = rate("10/s burst 3");
    const bucket = new Bucket(ten, 0);
    const at = (now: number) => bucket.take(ten, now);
    assertEquals([0, 0, 0, 0, 50].map(at), [true, true, true, false, false]);
    assertEquals([100, 100, 199, 200].map(at), [true, false, false, true]);
    assertEquals([9000, 9000, 9000, 9000].map(at), [true, true, true, false]);
  });

  test("may close for a while once they are exceeded", () => {
    const two = rate("2/s");
    const bucket = new Bucket(two, 0);
    const at = (now: number) => bucket.take(two, now, 5000);
    assertEquals([0, 0, 0, 1000, 4999].map(at), [
      true,
      true,
      false,
      false,
      false,
    ]);
    assertEquals([5000, 5000, 5000].map(at), [true, true, false]);
  });

  test("hold over any stretch of time", () => {
    const steps = fc.array(fc.nat(400), { minLength: 1, maxLength: 200 });
    fc.assert(fc.property(steps, (steps) => {
      const five = rate("5/s burst 2");
      const bucket = new Bucket(five, 0);
      let now = 0;
      let taken = 0;
      for (const step of steps) {
        now += step;
        if (bucket.take(five, now)) taken++;
        assert(taken <= 2 + now * five.perMillisecond + 1e-9);
      }
    }));
  });

  test("of many sources take bounded room", () => {
    const one = rate("1/m");
    const buckets = new Buckets(100);
    for (let i = 0; i < 1000; i++) assert(buckets.take(`${i}`, one, 0));
    assertEquals(buckets.size, 100);
    assertEquals(buckets.take("999", one, 0), false);
    assertEquals(buckets.take("fresh", one, 120_000), true);
    assertEquals(buckets.size, 1); // what was full again is not kept
  });

  test("of one key are not filled by another key's rate", () => {
    const [slow, fast] = [rate("2/h"), rate("50/s")];
    const buckets = new Buckets();
    const slowly = (now: number) => buckets.take("slow", slow, now);
    assertEquals([0, 0, 0].map(slowly), [true, true, false]);
    assert(buckets.take("fast", fast, 1000));
    assert(!slowly(1000));
  });

  test("of one key are not cut by another key's rate", () => {
    const [slow, fast] = [rate("2/h"), rate("50/s")];
    const buckets = new Buckets();
    const quickly = () => buckets.take("fast", fast, 0);
    for (let i = 0; i < 10; i++) assert(quickly());
    assert(buckets.take("slow", slow, 0));
    for (let i = 0; i < 40; i++) assert(quickly());
    assert(!quickly());
  });
});
