import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Buffers } from "../src/transport/buffers.ts";

/** The buffer that follows one which was filled. */
const larger = (buffers: Buffers, buffer: Uint8Array) =>
  buffers.fitting(buffer, buffer.length);

/** A buffer as it is under load. */
function largest(buffers: Buffers): Uint8Array {
  let buffer = buffers.take();
  for (;;) {
    const next = larger(buffers, buffer);
    if (next === buffer) return buffer;
    buffer = next;
  }
}

describe("buffers", () => {
  test("stay tiny while little comes", () => {
    const buffers = new Buffers();
    const buffer = buffers.take();
    assert(buffer.length <= 1024);
    assertEquals(buffers.fitting(buffer, buffer.length - 1), buffer);
  });

  test("grow when they were filled, and shrink when little comes", () => {
    const buffers = new Buffers();
    const first = buffers.take().length;
    const large = largest(buffers);
    assert(large.length > 100 * first);
    assertEquals(larger(buffers, large), large);
    assertEquals(buffers.fitting(large, large.length / 2), large);
    assertEquals(buffers.fitting(large, 10).length, first);
  });

  test("are used again once they were put back", () => {
    const buffers = new Buffers();
    const large = largest(buffers);
    buffers.putBack(large);
    assert(largest(buffers) === large);
  });

  test("are never used again once they were given up", () => {
    const buffers = new Buffers();
    const large = largest(buffers);
    buffers.giveUp(large);
    assert(largest(buffers) !== large);
  });

  test("are not all large, however many there are", () => {
    const buffers = new Buffers();
    const all = Array.from({ length: 1000 }, () => largest(buffers));
    const bytes = all.reduce((sum, { length }) => sum + length, 0);
    assert(bytes < 80 * 1024 * 1024, `${bytes} bytes`);
    const most = Math.max(...all.map(({ length }) => length));
    const count = all.filter(({ length }) => length === most).length;
    for (const [i, buffer] of all.entries()) {
      if (i % 2 === 0) buffers.putBack(buffer);
      else buffers.giveUp(buffer);
    }
    const again = Array.from({ length: 1000 }, () => largest(buffers));
    assertEquals(again.filter(({ length }) => length === most).length, count);
  });
});
