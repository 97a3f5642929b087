/** An interrupted `Conn.pipeTo` loses nothing, on any transport. */
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import type { Conn, Transport } from "../src/transport/transport.ts";
import {
  bytes,
  digestAll,
  readAll,
  readSome,
  writePattern,
} from "./support/bytes.ts";
import { type Kind, pairOf } from "./support/ends.ts";
import { sendUntilHeldBack } from "./support/held_back.ts";
import { type Four, pipe, withFour as withFourOf } from "./support/pipes.ts";
import { until } from "./support/wait.ts";

export function interruptContract(
  transport: Transport,
  title: string,
  { name, make }: Kind,
): void {
  const withFour = (use: (four: Four) => Promise<void>) =>
    withFourOf(transport, make, use);

  describe(`${title} pipes over ${name}`, () => {
    test("until it is interrupted: the rest is for who reads next", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const pump = pipe(left, right);
        await sender.write(bytes("passed on"));
        assertEquals(await readSome(receiver, 9), "passed on");
        await until("it is counted", () => pump.count === 9);
        left.interrupt(new Error("which nobody gets"));
        await sender.write(bytes("kept"));
        assertEquals(await readSome(left, 4), "kept");
        await sender.write(bytes("more"));
        await sender.closeWrite();
        assertEquals(await readAll(left), "more");
        await right.closeWrite();
        assertEquals(await readAll(receiver), "");
        assertEquals([pump.count, pump.end], [9, undefined]);
      }));

    test("until it is interrupted while bytes are held", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const pump = pipe(left, right);
        const { sent } = await sendUntilHeldBack(sender);
        const { count } = pump;
        left.interrupt(new Error("which nobody gets"));
        const chunks: Uint8Array[] = [];
        const take = async (conn: Conn) => {
          for (let chunk; (chunk = await conn.read()) !== null;) {
            chunks.push(chunk);
          }
        };
        const passedOn = take(receiver);
        const next = left.read(); // nothing is read before it is written
        await until("it is written", () => !left.waiting);
        await right.closeWrite();
        await passedOn;
        chunks.push((await next)!);
        await take(left);
        assertEquals([pump.count, pump.end], [count, undefined]);
        const got = await digestAll({
          read: () => Promise.resolve(chunks.shift() ?? null),
        });
        const wanted = await writePatternInto(await sent);
        assertEquals(got, { count: await sent, digest: wanted });
      }));

    test("until it is interrupted while bytes are held by one that breaks", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const pump = pipe(left, right);
        const { sent } = await sendUntilHeldBack(sender);
        left.interrupt(new Error("which nobody gets"));
        const reading = digestAll(left);
        receiver.abort();
        const { count } = await reading;
        assertEquals(pump.end, undefined);
        const lost = await sent - pump.count - count;
        assert(lost >= 0 && lost <= 512 * 1024, `${lost} bytes are lost`);
      }));

    test("until it is interrupted while bytes are held, and our side ended", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const pump = pipe(left, right);
        const { sent } = await sendUntilHeldBack(sender);
        left.interrupt(new Error("which nobody gets"));
        const ending = right.closeWrite(); // behind what it holds
        const { count: passedOn } = await digestAll(receiver);
        await ending;
        assert(passedOn > pump.count, `${passedOn} bytes`);
        const { count } = await digestAll(left);
        assertEquals(passedOn + count, await sent);
      }));

    test("until it is interrupted, and another goes on", () =>
      withFour(async ({ sender, left, right, receiver }) => {
        const first = pipe(left, right);
        await sender.write(bytes("one "));
        assertEquals(await readSome(receiver, 4), "one ");
        await until("it is counted", () => first.count === 4);
        left.interrupt(new Error("which nobody gets"));
        await sender.write(bytes("two "));
        assertEquals(await readSome(left, 4), "two ");
        const [other, behind] = await pairOf(transport, make());
        const second = pipe(left, other);
        await sender.write(bytes("three"));
        await sender.closeWrite();
        await second.ended();
        await other.closeWrite();
        assertEquals(await readAll(behind), "three");
        assertEquals([first.count, first.end], [4, undefined]);
        assertEquals([second.count, second.end], [5, "over"]);
        for (const conn of [other, behind]) conn.abort();
      }));
  });
}

/** The digest of the pattern, as `sendUntilHeldBack` repeats it. */
function writePatternInto(total: number): Promise<string> {
  return writePattern({ write: () => Promise.resolve() }, total);
}
