import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Buffers, SMALL_BUFFER } from "../src/transport/buffers.ts";

const buffers = new Buffers();

const small = () => new Uint8Array(SMALL_BUFFER);

/** What a full small one is followed by. */
const grown = () => buffers.fitting(small(), SMALL_BUFFER);

describe("buffers", () => {
  test("stay small while little comes", () => {
    const buffer = small();
    assertEquals(buffers.fitting(buffer, SMALL_BUFFER - 1), buffer);
  });

  test("grow when they were filled, and shrink when little comes", () => {
    const large = grown();
    assert(large.length > 100 * SMALL_BUFFER);
    assertEquals(buffers.fitting(large, large.length), large);
    assertEquals(buffers.fitting(large, large.length / 2), large);
    assertEquals(buffers.fitting(large, 10).length, SMALL_BUFFER);
  });

  test("are used again once they were put back", () => {
    const large = grown();
    buffers.putBack(large);
    const again = grown();
    assert(again === large);
    buffers.putBack(again);
  });

  test("are never used again once they were given up", () => {
    const large = grown();
    buffers.giveUp(large);
    const next = grown();
    assert(next !== large);
    buffers.putBack(next);
  });

  test("are not all large, however many there are", () => {
    const all = Array.from({ length: 1000 }, grown);
    const bytes = all.reduce((sum, { length }) => sum + length, 0);
    assert(bytes < 64 * 1024 * 1024, `${bytes} bytes`);
    for (const buffer of all) buffers.putBack(buffer);
    const large = grown();
    assertEquals(large.length, Math.max(...all.map(({ length }) => length)));
    buffers.putBack(large);
  });
});
