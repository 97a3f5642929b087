import { assert } from "@std/assert";
import type { Conn } from "../../src/transport/transport.ts";
import { pattern } from "./bytes.ts";
import { sleep, until } from "./wait.ts";

/** A sender of much, which nobody reads yet. */
export interface HeldBack {
  /** All that it has sent, once it is done. */
  readonly sent: Promise<number>;
}

/** Sends 48 MiB and the end; resolves when it stands still before half of it. */
export async function sendUntilHeldBack(conn: Conn): Promise<HeldBack> {
  const total = 48 * 1024 * 1024;
  let written = 0;
  const sent = (async () => {
    const block = pattern(251 * 256);
    while (written < total) {
      await conn.write(block);
      written += block.length;
    }
    await conn.closeWrite();
    return written;
  })();
  let before = -1;
  await until("the sender stands still", async () => {
    const still = written === before;
    before = written;
    await sleep(150);
    return still && written === before;
  });
  assert(written < total / 2, `${written} bytes went nowhere`);
  return { sent };
}
