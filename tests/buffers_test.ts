import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import {
  fitting,
  giveUp,
  putBack,
  SMALL_BUFFER,
} from "../src/transport/buffers.ts";

const small = () => new Uint8Array(SMALL_BUFFER);

/** What a full small one is followed by. */
const grown = () => fitting(small(), SMALL_BUFFER);

describe("buffers", () => {
  test("stay small while little comes", () => {
    const buffer = small();
    assertEquals(fitting(buffer, SMALL_BUFFER - 1), buffer);
  });

  test("grow when they were filled, and shrink when little comes", () => {
    const large = grown();
    assert(large.length > 100 * SMALL_BUFFER);
    assertEquals(fitting(large, large.length), large);
    assertEquals(fitting(large, large.length / 2), large);
    assertEquals(fitting(large, 10).length, SMALL_BUFFER);
  });

  test("are used again once they were put back", () => {
    const large = grown();
    putBack(large);
    const again = grown();
    assert(again === large);
    putBack(again);
  });

  test("are never used again once they were given up", () => {
    const large = grown();
    giveUp(large);
    const next = grown();
    assert(next !== large);
    putBack(next);
  });

  test("are not all large, however many there are", () => {
    const all = Array.from({ length: 1000 }, grown);
    const bytes = all.reduce((sum, { length }) => sum + length, 0);
    assert(bytes < 64 * 1024 * 1024, `${bytes} bytes`);
    for (const buffer of all) putBack(buffer);
    const large = grown();
    assertEquals(large.length, Math.max(...all.map(({ length }) => length)));
    putBack(large);
  });
});
