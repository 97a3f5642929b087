/** What `Conn.pipeTo` passes on, and how it ends, held against any transport that has it. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import type { Conn, Transport } from "../src/transport/transport.ts";
import {
  bytes,
  digestAll,
  pattern,
  readAll,
  readSome,
  writePattern,
} from "./support/bytes.ts";
import { type Kind, pairOf } from "./support/ends.ts";
import { sendUntilHeldBack } from "./support/held_back.ts";
import { type Four, pipe, withFour as withFourOf } from "./support/pipes.ts";
import { NotedPump } from "./support/pumps.ts";
import { sleep, until } from "./support/wait.ts";

export function pipeContract(
  transport: Transport,
  title: string,
  { name, make }: Kind,
): void {
  const pair = () => pairOf(transport, make());
  const withFour = (use: (four: Four) => Promise<void>) =>
    withFourOf(transport, make, use);

  describe(`${title} pipes over ${name}`, () => {
    test("every byte, to a reader that is slow at times", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const pump = pipe(left, right);
        const total = 24 * 1024 * 1024;
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
        await pump.ended();
        assertEquals([pump.end, pump.count], ["over", total]);
        await right.closeWrite();
        assertEquals(await reading, { count: total, digest: await sent });
      }));

    test("both ways at once, each to its own end", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const total = 64 * 1024 * 1024;
        const [up, down] = [pipe(left, right), pipe(right, left)];
        const send = async (conn: Conn) => {
          const digest = await writePattern(conn, total);
          await conn.closeWrite();
          return digest;
        };
        const passOn = async (pump: NotedPump, sink: Conn) => {
          await pump.ended();
          assertEquals([pump.end, pump.count], ["over", total]);
          await sink.closeWrite();
        };
        const [digest, there, back] = await Promise.all([
          send(sender),
          digestAll(receiver),
          digestAll(sender),
          send(receiver),
          passOn(up, right),
          passOn(down, left),
        ]);
        assertEquals([there, back], Array(2).fill({ count: total, digest }));
      }));

    test("both ways at once, to readers that stand still", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const [up, down] = [pipe(left, right), pipe(right, left)];
        const [there, back] = await Promise.all([
          sendUntilHeldBack(sender),
          sendUntilHeldBack(receiver),
        ]);
        assertEquals([left.waiting, right.waiting], [true, true]);
        const reading = Promise.all([digestAll(receiver), digestAll(sender)]);
        await Promise.all([up.ended(), down.ended()]);
        await Promise.all([right.closeWrite(), left.closeWrite()]);
        const sent = await Promise.all([there.sent, back.sent]);
        assertEquals([up.count, down.count], sent);
        assertEquals((await reading).map(({ count }) => count), sent);
        assertEquals([left.waiting, right.waiting], [false, false]);
      }));

    test("what was sent before it began, in order", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        await sender.write(bytes("early "));
        await sleep(30); // it may lie read or unread
        const pump = pipe(left, right);
        await sender.write(bytes("late"));
        assertEquals(await readSome(receiver, 10), "early late");
        await until("it is counted", () => pump.count === 10);
      }));

    test("the end that had come before it began", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        await sender.write(bytes("all of it"));
        await sender.closeWrite();
        await sleep(30);
        const pump = pipe(left, right);
        await pump.ended();
        assertEquals(pump.end, "over");
        await right.closeWrite();
        assertEquals(await readAll(receiver), "all of it");
      }));

    test("and nobody else reads meanwhile", () =>
      withFour(async ({ left, right }) => {
        pipe(left, right);
        await assertRejects(() => left.read(), TypeError, "under way");
        try {
          left.pipeTo!(right, new NotedPump(left));
          assert(false, "it began twice");
        } catch (error) {
          assert(error instanceof TypeError, `${error}`);
        }
      }));

    test("to another sink, when the first stood still and was let go", () =>
      withFour(async ({ sender, left, right }) => {
        const [other, behind] = await pair();
        const first = pipe(left, right);
        const { sent } = await sendUntilHeldBack(sender);
        right.abort();
        await first.ended();
        assertEquals(first.end, "sink broken");
        const second = pipe(left, other);
        const reading = digestAll(behind);
        await second.ended();
        assertEquals(second.end, "over");
        await other.closeWrite();
        const { count } = await reading;
        assertEquals(count, second.count);
        // What was read last of it is lost with the first.
        const lost = await sent - first.count - second.count;
        assert(lost >= 0 && lost <= 512 * 1024, `${lost} bytes are lost`);
        for (const conn of [other, behind]) conn.abort();
      }));

    test("to a sink that is gone: told once, and the rest can be read", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const pump = pipe(left, right);
        receiver.abort();
        await until("the sink breaks", async () => {
          if (pump.end === undefined) await sender.write(pattern(1000));
          return pump.end !== undefined;
        });
        assertEquals(pump.end, "sink broken");
        assert(pump.error instanceof TcpmuxError, `${pump.error}`);
        await sender.write(bytes("still here"));
        await sender.closeWrite();
        const rest = await readAll(left);
        assert(rest.endsWith("still here"), rest.slice(-20));
      }));

    test("to a sink that goes while it holds bytes: told once", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const pump = pipe(left, right);
        const { sent } = await sendUntilHeldBack(sender);
        assertEquals(left.waiting, true);
        receiver.abort();
        await pump.ended();
        assertEquals([pump.end, left.waiting], ["sink broken", false]);
        assert(pump.error instanceof TcpmuxError, `${pump.error}`);
        const { count } = await digestAll(left);
        const lost = await sent - pump.count - count;
        assert(lost >= 0 && lost <= 512 * 1024, `${lost} bytes are lost`);
      }));

    test("nothing more once its source is let go", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const pump = pipe(left, right);
        await sender.write(bytes("x"));
        await until("it came", () => pump.count === 1);
        left.abort();
        await pump.ended();
        assert(pump.end instanceof TcpmuxError);
        assertEquals(pump.end.code, "closed");
        await right.write(bytes("y"));
        assertEquals(await readSome(receiver, 2), "xy");
      }));

    test("to a reader that stands still, without taking all", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const pump = pipe(left, right);
        const { sent } = await sendUntilHeldBack(sender);
        const reading = digestAll(receiver);
        const written = await sent;
        await pump.ended();
        await right.closeWrite();
        assertEquals((await reading).count, written);
        assertEquals(pump.count, written);
      }));

    test("to a sink that is closed meanwhile: what it holds arrives", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const pump = pipe(left, right);
        const { sent } = await sendUntilHeldBack(sender);
        sent.catch(() => {}); // nobody takes the rest
        right.close();
        const { count } = await digestAll(receiver);
        await pump.ended();
        assertEquals([pump.end, pump.count], ["sink broken", count]);
      }));
  });
}
