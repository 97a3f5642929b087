/** The promises of `Conn.carryTo`, held against any transport that has it. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Endpoint } from "../src/endpoint.ts";
import type {
  Carriage,
  Conn,
  Meter,
  Transport,
} from "../src/transport/transport.ts";
import {
  bytes,
  digestAll,
  pattern,
  readAll,
  readSome,
  writePattern,
} from "./support/bytes.ts";
import { sendUntilHeldBack } from "./support/held_back.ts";
import { sleep, until } from "./support/wait.ts";

/** Notes what it is told; nothing may come after the end. */
class Told implements Carriage {
  source: Meter | undefined;
  count = 0;
  end: string | undefined;

  moved(count: number): void {
    assertEquals(this.end, undefined, "bytes moved after the end");
    this.count += count;
  }

  ended(): void {
    this.#over("ended");
  }

  sinkBroken(): void {
    this.#over("sink broken");
  }

  failed(): void {
    this.#over("failed");
  }

  #over(how: string): void {
    assertEquals(this.end, undefined, `${how} after ${this.end}`);
    this.end = how;
  }
}

/** A relay's four ends: `left` is carried to `right`, both within it. */
interface Four {
  readonly sender: Conn;
  readonly left: Conn;
  readonly right: Conn;
  readonly receiver: Conn;
}

/** @param make an endpoint to listen on */
export function carryContract(
  transport: Transport,
  kind: string,
  make: () => Endpoint,
): void {
  async function pair(): Promise<[Conn, Conn]> {
    const listener = await transport.listen(make());
    const [outside, inside] = await Promise.all([
      transport.connect(listener.endpoint),
      listener.accept(),
    ]);
    listener.close();
    assert(inside !== null);
    return [outside, inside];
  }

  async function withFour(run: (four: Four) => Promise<void>): Promise<void> {
    const [sender, left] = await pair();
    const [right, receiver] = await pair();
    try {
      await run({ sender, left, right, receiver });
    } finally {
      for (const conn of [sender, left, right, receiver]) conn.abort();
    }
  }

  const ended = (told: Told) =>
    until("it is told the end", () => told.end !== undefined);

  describe(`${transport.name} carries over ${kind}`, () => {
    test("every byte, to a reader that is slow at times", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const told = new Told();
        const total = 24 * 1024 * 1024;
        assert(left.carryTo?.(right, told));
        const sent = writePattern(sender, total).then(async (digest) => {
          await sender.closeWrite();
          return digest;
        });
        let chunks = 0;
        const reading = digestAll({
          async read() {
            if (++chunks % 50 === 0) await sleep(5);
            return await receiver.read();
          },
        });
        await ended(told);
        assertEquals([told.end, told.count], ["ended", total]);
        await right.closeWrite();
        assertEquals(await reading, { count: total, digest: await sent });
      }));

    test("what was sent before it began, in order", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const told = new Told();
        await sender.write(bytes("early "));
        await sleep(30); // it may lie read or unread
        assert(left.carryTo?.(right, told));
        await sender.write(bytes("late"));
        assertEquals(await readSome(receiver, 10), "early late");
        assertEquals(told.count, 10);
      }));

    test("the end that had come before it began", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const told = new Told();
        await sender.write(bytes("all of it"));
        await sender.closeWrite();
        await sleep(30);
        assert(left.carryTo?.(right, told));
        await ended(told);
        assertEquals(told.end, "ended");
        await right.closeWrite();
        assertEquals(await readAll(receiver), "all of it");
      }));

    test("to another sink, when the first stood still and was let go", () =>
      withFour(async ({ sender, left, right }) => {
        const [other, behind] = await pair();
        const [first, second] = [new Told(), new Told()];
        assert(left.carryTo?.(right, first));
        const { sent } = await sendUntilHeldBack(sender);
        right.abort();
        await ended(first);
        assertEquals(first.end, "sink broken");
        assert(left.carryTo?.(other, second));
        const reading = digestAll(behind);
        await ended(second);
        assertEquals(second.end, "ended");
        await other.closeWrite();
        const { count } = await reading;
        assertEquals(count, second.count);
        // What was read last of it is lost with the first.
        assert(count > await sent / 2, `${count} bytes came`);
        for (const conn of [other, behind]) conn.abort();
      }));

    test("to a sink that is gone: told once, and the rest can be read", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const told = new Told();
        assert(left.carryTo?.(right, told));
        receiver.abort();
        await until("the sink breaks", async () => {
          if (told.end === undefined) await sender.write(pattern(1000));
          return told.end !== undefined;
        });
        assertEquals(told.end, "sink broken");
        await sender.write(bytes("still here"));
        await sender.closeWrite();
        const rest = await readAll(left);
        assert(rest.endsWith("still here"), rest.slice(-20));
      }));

    test("nothing more once its source is let go", () =>
      withFour(async ({ sender, left, right }) => {
        const told = new Told();
        assert(left.carryTo?.(right, told));
        await sender.write(bytes("x"));
        await until("it came", () => told.count === 1);
        left.abort();
        await ended(told);
        assertEquals(told.end, "failed");
      }));

    test("to a reader that stands still, without taking all", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const told = new Told();
        assert(left.carryTo?.(right, told));
        const { sent } = await sendUntilHeldBack(sender);
        const reading = digestAll(receiver);
        const written = await sent;
        await ended(told);
        await right.closeWrite();
        assertEquals((await reading).count, written);
        assertEquals(told.count, written);
      }));
  });
}
