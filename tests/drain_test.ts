/** How a connection ends so that what was written to it arrives. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { drain } from "../src/drain.ts";
import type { Endpoint } from "../src/endpoint.ts";
import { TcpmuxError } from "../src/errors.ts";
import { TimerList } from "../src/timers.ts";
import { memoryPair } from "../src/transport/memory.ts";
import type { Conn } from "../src/transport/transport.ts";
import { bytes, digestAll, readAll, text } from "./support/bytes.ts";
import { sleep } from "./support/wait.ts";

const A: Endpoint = { transport: "tcp", host: "127.0.0.1", port: 1 };
const B: Endpoint = { transport: "tcp", host: "127.0.0.1", port: 2 };

/** A tenth of the time. */
const all = new TimerList();
const timers: Pick<TimerList, "after"> = {
  after: (milliseconds, expiring) => all.after(milliseconds / 10, expiring),
};

const pair = () => memoryPair(A, B);
const finish = (conn: Conn) => drain(conn, timers);

/** Writes until told that nobody takes it; gives how much was taken. */
async function writeOn(conn: Conn): Promise<number> {
  let written = 0;
  try {
    for (; written < 50_000_000; written += 10_000) {
      await conn.write(new Uint8Array(10_000));
    }
  } catch (error) {
    assert(error instanceof TcpmuxError);
  }
  return written;
}

describe("a client is drained", () => {
  test("so that what was written arrives although input lies unread", async () => {
    const [outside, client] = pair();
    await outside.write(bytes("nobody reads this"));
    await client.write(bytes("last words"));
    const finishing = finish(client);
    assertEquals(await readAll(outside), "last words");
    outside.close();
    await finishing;
    await assertRejects(() => client.read(), TcpmuxError, "closed");
  });

  test("for a while only, where it sends without end", async () => {
    const [outside, client] = pair();
    const [written] = await Promise.all([writeOn(outside), finish(client)]);
    assert(written > 0 && written < 5_000_000, `${written} bytes were taken`);
  });

  test("for a while only, where it is silent", async () => {
    const [outside, client] = pair();
    await finish(client);
    assertEquals(await readAll(outside), "");
  });

  test("when writes under way have ended, though it has ended itself", async () => {
    const [outside, client] = pair();
    await outside.closeWrite();
    assertEquals(await client.read(), null);
    const count = 5_000_000;
    const writing = client.write(new Uint8Array(count));
    let isOver = false;
    const finishing = finish(client).then(() => isOver = true);
    await sleep(50);
    assert(!isOver);
    assertEquals((await digestAll(outside)).count, count);
    await Promise.all([writing, finishing]);
  });

  test("also when writes take longer than its input is waited for", async () => {
    const [outside, client] = pair();
    const count = 500_000;
    const writing = client.write(new Uint8Array(count));
    const finishing = finish(client);
    await sleep(500);
    assertEquals((await digestAll(outside)).count, count);
    outside.close();
    await Promise.all([writing, finishing]);
  });

  test("for a while only, where writes are never taken", async () => {
    const [outside, client] = pair();
    const writing = client.write(new Uint8Array(500_000));
    const [{ status }] = await Promise.allSettled([writing, finish(client)]);
    assertEquals(status, "rejected");
    await assertRejects(() => readAll(outside), TcpmuxError);
  });

  test("behind a read that was interrupted", async () => {
    const [outside, client] = pair();
    const left = client.read();
    client.interrupt(new Error("enough"));
    await assertRejects(() => left, Error, "enough");
    const finishing = finish(client);
    await outside.write(bytes("x"));
    await outside.closeWrite();
    await finishing;
    assertEquals(text((await outside.read()) ?? bytes("end")), "end");
  });

  test("quietly when it is gone, or all is closed", async () => {
    for (const gone of ["close", "abort"] as const) {
      const [outside, client] = pair();
      outside[gone]();
      await finish(client);
      await finish(client);
    }
    const [, client] = pair();
    client.abort();
    await finish(client);
  });
});
