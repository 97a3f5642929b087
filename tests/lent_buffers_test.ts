/** Each buffer that a connection reads into is given back once. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { Buffers } from "../src/transport/buffers.ts";
import { pickTransport } from "../src/transport/pick.ts";
import type { Conn, Transport } from "../src/transport/transport.ts";
import { digestAll, writePattern } from "./support/bytes.ts";
import { pairOf, V4 } from "./support/ends.ts";
import { sendUntilHeldBack } from "./support/held_back.ts";
import { NotedPump } from "./support/pumps.ts";
import { sleep, until } from "./support/wait.ts";

/** Knows which buffers are out, and takes none back that is not. */
class Watched extends Buffers {
  readonly out = new Set<Uint8Array>();
  most = 0;

  override take(size = 0): Uint8Array {
    const buffer = super.take(size);
    assert(!this.out.has(buffer), "a buffer is used twice");
    this.out.add(buffer);
    this.most = Math.max(this.most, buffer.length);
    return buffer;
  }

  override fitting(buffer: Uint8Array, count: number): Uint8Array {
    assert(this.out.has(buffer), "another's buffer was filled");
    return super.fitting(buffer, count);
  }

  override putBack(buffer: Uint8Array): void {
    assert(this.out.delete(buffer), "a buffer was put back twice");
    super.putBack(buffer);
  }

  override giveUp(buffer: Uint8Array): void {
    assert(this.out.delete(buffer), "a buffer was given up twice");
    super.giveUp(buffer);
  }
}

const real = await pickTransport();

/** The transport of this runtime, over buffers that are watched. */
async function over(buffers: Buffers): Promise<Transport> {
  if (real.name === "deno") {
    const { denoListen } = await import("../src/transport/deno/listen.ts");
    const { denoConnect } = await import("../src/transport/deno/connect.ts");
    return {
      ...real,
      listen: denoListen(buffers),
      connect: denoConnect(real.timers, buffers),
    };
  }
  const { nodeListen } = await import("../src/transport/node/listen.ts");
  const { nodeConnect } = await import("../src/transport/node/connect.ts");
  return {
    ...real,
    ...nodeListen(real.timers, buffers),
    connect: nodeConnect(real.timers, buffers),
  };
}

interface Four {
  readonly sender: Conn;
  readonly left: Conn;
  readonly right: Conn;
  readonly receiver: Conn;
  readonly pump: NotedPump;
}

/** What becomes of a pipe under load. */
const FATES: Record<string, (four: Four) => Promise<unknown>> = {
  "ends": async ({ sender, right, receiver, pump }) => {
    const sent = writePattern(sender, 8_000_000);
    const got = digestAll(receiver);
    await sent;
    await sender.closeWrite();
    await pump.ended();
    await right.closeWrite();
    assertEquals((await got).count, 8_000_000);
  },
  "is interrupted, and read": async ({ sender, left, right, receiver }) => {
    const { sent } = await sendUntilHeldBack(sender);
    left.interrupt(new Error("enough"));
    const [there, here] = [digestAll(receiver), digestAll(left)];
    await until("it is written", () => !left.waiting);
    await right.closeWrite();
    assertEquals((await there).count + (await here).count, await sent);
  },
  "is interrupted in full flow": async ({ sender, left, receiver }) => {
    writePattern(sender, 50_000_000).catch(() => {});
    digestAll(receiver).catch(() => {});
    await sleep(30);
    left.interrupt(new Error("enough"));
    await sleep(30);
  },
  "is held, and its source is let go": async ({ sender, left }) => {
    (await sendUntilHeldBack(sender)).sent.catch(() => {});
    left.abort();
  },
  "is held, and its sink is let go": async ({ sender, right }) => {
    (await sendUntilHeldBack(sender)).sent.catch(() => {});
    right.abort();
  },
  "is held, and its receiver goes": async ({ sender, receiver, pump }) => {
    (await sendUntilHeldBack(sender)).sent.catch(() => {});
    receiver.abort();
    await pump.ended();
  },
  "is held, and its sender goes": async ({ sender, receiver, pump }) => {
    (await sendUntilHeldBack(sender)).sent.catch(() => {});
    sender.abort();
    digestAll(receiver).catch(() => {});
    await pump.ended();
  },
};

describe("of a pipe, all buffers come back", {
  skip: real.name === "bun" && "Bun reads into memory of its own",
}, () => {
  for (const [fate, befall] of Object.entries(FATES)) {
    test(`that ${fate}`, async () => {
      const buffers = new Watched();
      const transport = await over(buffers);
      const [sender, left] = await pairOf(transport, V4);
      const [right, receiver] = await pairOf(transport, V4);
      const pump = new NotedPump(left);
      assert(left.pipeTo!(right, pump));
      await befall({ sender, left, right, receiver, pump });
      assert(buffers.most > 10_000, `${buffers.most} bytes at a time`);
      for (const conn of [sender, left, right, receiver]) conn.abort();
      await until(
        () => `all buffers are back, and not ${buffers.out.size} out`,
        () => buffers.out.size === 0,
        5000,
      );
    });
  }
});
