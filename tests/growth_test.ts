import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Growth } from "../src/transport/growth.ts";

/** A growth, and at which counts it told of a new height. */
function watched(): { heights: number[]; move: (by: number) => void } {
  const heights: number[] = [];
  let count = 0;
  const growth = new Growth(() => heights.push(count));
  const move = (by: number) => {
    for (let i = 0; i < Math.abs(by); i++) {
      count += Math.sign(by);
      if (by > 0) growth.came();
      else growth.left();
    }
  };
  return { heights, move };
}

describe("Growth", () => {
  test("tells nothing of a few, however often they come and go", () => {
    const { heights, move } = watched();
    for (let i = 0; i < 100; i++) {
      move(1023);
      move(-1023);
    }
    assertEquals(heights, []);
  });

  test("tells of heights that are an eighth apart at least", () => {
    const { heights, move } = watched();
    move(10_000);
    assertEquals(heights[0], 1024);
    assertEquals(heights.length, 20);
    for (const [i, height] of heights.slice(1).entries()) {
      assert(height >= heights[i]! * 1.125, `${heights[i]} and ${height}`);
    }
  });

  test("tells of no height twice", () => {
    const { heights, move } = watched();
    move(3000);
    const before = heights.length;
    for (let i = 0; i < 20; i++) {
      move(-2900);
      move(2900);
    }
    assertEquals(heights.length, before);
    move(500);
    assertEquals(heights.length, before + 1);
  });
});
