/** What is written on Bun gives its memory back, and nobody else's. */
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { BunCarrier, giveBack } from "../src/transport/bun_carrier.ts";
import { Inbox } from "../src/transport/inbox.ts";

const LARGE = 64 * 1024;

describe("the memory of what is written", () => {
  test("is given back, of a piece that is all of its buffer", () => {
    const piece = new Uint8Array(LARGE);
    giveBack(piece);
    assertEquals(piece.length, 0);
  });

  test("is kept while later pieces lie behind it, and then given back", () => {
    const buffer = new Uint8Array(LARGE);
    const first = buffer.subarray(0, 50_000);
    const last = buffer.subarray(50_000);
    giveBack(first);
    assertEquals([first.length, last.length], [50_000, LARGE - 50_000]);
    giveBack(last);
    assertEquals([first.length, last.length], [0, 0]);
  });

  test("is kept where it is small, and may be part of a pool", () => {
    for (const piece of [new Uint8Array(16), Buffer.from("0123456789abcdef")]) {
      giveBack(piece);
      giveBack(piece.subarray(8));
      assertEquals(piece.length, 16);
    }
  });

  test("is kept until the last of it is taken", () => {
    const source = new Inbox({ pause() {}, resume() {} });
    const taken: number[] = [];
    let waiting: { drained(): void } | undefined;
    const sink = {
      offer(bytes: Uint8Array) {
        taken.push(...bytes.subarray(0, 1));
        return Math.min(bytes.length, 30_000);
      },
      whenDrained: (who: { drained(): void }) => waiting = who,
    };
    let moved = 0;
    source.pourInto(
      new BunCarrier(source, sink, {
        source: undefined,
        moved: (count) => moved += count,
        ended() {},
        failed() {},
        sinkBroken() {},
      }),
    );
    const piece = new Uint8Array(LARGE).map((_, i) => Math.floor(i / 30_000));
    source.push(piece);
    assertEquals([piece.length, moved], [LARGE, 30_000]);
    waiting!.drained();
    assertEquals([piece.length, moved], [LARGE, 60_000]);
    waiting!.drained();
    assertEquals([piece.length, moved], [0, LARGE]);
    assertEquals(taken, [0, 1, 2]);
  });
});
