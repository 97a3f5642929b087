import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { Inbox } from "../src/transport/inbox.ts";
import { bytes, text } from "./support/bytes.ts";

/** A source that remembers whether it may push. */
function source() {
  return {
    paused: false,
    calls: 0,
    pause() {
      this.paused = true;
      this.calls++;
    },
    resume() {
      this.paused = false;
      this.calls++;
    },
  };
}

async function readText(inbox: Inbox): Promise<string | null> {
  const chunk = await inbox.read();
  return chunk === null ? null : text(chunk);
}

describe("Inbox", () => {
  test("gives what came first, then what comes", async () => {
    const inbox = new Inbox(source());
    inbox.push(bytes("a"));
    inbox.push(bytes("b"));
    assertEquals(await readText(inbox), "a");
    assertEquals(await readText(inbox), "b");
    const waiting = readText(inbox);
    inbox.push(bytes("c"));
    assertEquals(await waiting, "c");
  });

  test("takes no empty chunk for bytes or for an end", async () => {
    const inbox = new Inbox(source());
    const waiting = readText(inbox);
    inbox.push(bytes(""));
    inbox.push(bytes("a"));
    assertEquals(await waiting, "a");
  });

  test("pauses its source at the limit and resumes it when empty", async () => {
    const from = source();
    const inbox = new Inbox(from, 4);
    inbox.push(bytes("abc"));
    assertEquals(from.paused, false);
    inbox.push(bytes("d"));
    assertEquals(from.paused, true);
    await inbox.read();
    assertEquals(from.paused, true);
    await inbox.read();
    assertEquals(from.paused, false);
  });

  test("starts a source that is paused when somebody reads", () => {
    const from = { ...source(), paused: true };
    const inbox = new Inbox(from, 4, true);
    assertEquals(from.calls, 0);
    inbox.read();
    assertEquals([from.paused, from.calls], [false, 1]);
  });

  test("stays at its end", async () => {
    const inbox = new Inbox(source());
    inbox.push(bytes("a"));
    inbox.end();
    assertEquals(await readText(inbox), "a");
    assertEquals(await readText(inbox), null);
    assertEquals(await readText(inbox), null);
  });

  test("ends the read that waits", async () => {
    const ended = new Inbox(source());
    const waiting = readText(ended);
    ended.end();
    assertEquals(await waiting, null);

    const failed = new Inbox(source());
    const broken = failed.read();
    failed.fail(new Error("reset"));
    await assertRejects(() => broken, Error, "reset");
  });

  test("gives what arrived before it broke, unless nobody wants it", async () => {
    const inbox = new Inbox(source());
    inbox.push(bytes("a"));
    inbox.fail(new Error("first"));
    inbox.fail(new Error("second"));
    inbox.push(bytes("late"));
    assertEquals(await readText(inbox), "a");
    await assertRejects(() => inbox.read(), Error, "first");

    const dropped = new Inbox(source());
    dropped.push(bytes("a"));
    dropped.close();
    await assertRejects(() => dropped.read(), Error, "closed");
  });

  test("an end in good order is not undone by what comes later", async () => {
    const inbox = new Inbox(source());
    inbox.end();
    inbox.fail(new Error("reset"));
    assertEquals(await readText(inbox), null);
  });

  test("refuses a second reader at a time", async () => {
    const inbox = new Inbox(source());
    const first = readText(inbox);
    await assertRejects(() => inbox.read(), TypeError, "under way");
    inbox.push(bytes("a"));
    assertEquals(await first, "a");
  });

  test("loses nothing, keeps the order and bounds what it holds", async () => {
    const chunk = fc.string({ minLength: 1, maxLength: 9 });
    const step = fc.oneof(chunk, fc.constant(null)); // push, or read
    await fc.assert(fc.asyncProperty(fc.array(step), async (steps) => {
      const limit = 10;
      const from = source();
      const inbox = new Inbox(from, limit);
      let [sent, held] = ["", 0];
      const reads: Promise<Uint8Array | null>[] = [];
      let waiting: Promise<unknown> | undefined;
      for (const step of steps) {
        if (step === null) {
          if (waiting !== undefined && held === 0) await waiting;
          const reading = inbox.read();
          reads.push(reading);
          if (held === 0) inbox.push(bytes("!"));
          sent += held === 0 ? "!" : "";
          held = Math.max(0, held - (await reading)!.length);
          waiting = reading;
        } else if (!from.paused) {
          inbox.push(bytes(step));
          sent += step;
          held += bytes(step).length;
          assertEquals(from.paused, held >= limit);
        }
      }
      inbox.end();
      for (;;) {
        const chunk = await inbox.read();
        if (chunk === null) break;
        reads.push(Promise.resolve(chunk));
      }
      const chunks = await Promise.all(reads);
      const got = Buffer.concat(chunks.map((chunk) => chunk!));
      assertEquals(got.toString("utf8"), sent);
      assert(!from.paused);
    }));
  });
});
