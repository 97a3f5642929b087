import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClientConn } from "../src/client_conn.ts";
import type { Endpoint } from "../src/endpoint.ts";
import { TcpmuxError } from "../src/errors.ts";
import { memoryPair } from "../src/transport/memory.ts";
import type { Carriage, Conn } from "../src/transport/transport.ts";
import { bytes, digestAll, readAll, readSome, text } from "./support/bytes.ts";
import { sleep } from "./support/wait.ts";

const A: Endpoint = { transport: "tcp", host: "127.0.0.1", port: 1 };
const B: Endpoint = { transport: "tcp", host: "127.0.0.1", port: 2 };

function pair(): [Conn, ClientConn] {
  const [outside, inside] = memoryPair(A, B);
  return [outside, new ClientConn(inside)];
}

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

describe("ClientConn", () => {
  test("knows both ends", () => {
    const [, client] = pair();
    assertEquals([client.local, client.remote], [B, A]);
  });

  test("gives back first what was read too much", async () => {
    const [outside, client] = pair();
    client.unread(bytes("early"));
    client.unread(bytes("")); // nothing to give back: keeps what it has
    await outside.write(bytes("late"));
    assertEquals(text((await client.read())!), "early");
    assertEquals(text((await client.read())!), "late");
  });

  test("counts the bytes of the service, not those of the handshake", async () => {
    const [outside, client] = pair();
    await outside.write(bytes("echo\r\nearly"));
    const line = (await client.read())!;
    client.unread(line.subarray(6));
    await client.write(bytes("+Go\r\n"));
    client.beginService();
    assertEquals([client.bytesIn, client.bytesOut], [0, 0]);
    await client.read();
    await client.write(bytes("abc"));
    assertEquals([client.bytesIn, client.bytesOut], [5, 3]);
  });

  test("knows when a byte last moved, either way", async () => {
    const [outside, client] = pair();
    const moved = async (move: () => Promise<unknown>) => {
      client.lastActivity = -1;
      await move();
      return client.lastActivity >= 0;
    };
    await outside.write(bytes("a"));
    assert(await moved(() => client.read()));
    assert(await moved(() => client.write(bytes("b"))));
    await outside.closeWrite();
    assert(!await moved(() => client.read()));
  });

  test("finish delivers what was written although input lies unread", async () => {
    const [outside, client] = pair();
    await outside.write(bytes("nobody reads this"));
    await client.write(bytes("last words"));
    const finishing = client.finish();
    assertEquals(await readAll(outside), "last words");
    outside.close();
    await finishing;
    await assertRejects(() => client.read(), TcpmuxError, "closed");
  });

  test("finish listens to an endless sender for a while only", async () => {
    const [outside, client] = pair();
    const [written] = await Promise.all([writeOn(outside), client.finish()]);
    assert(written > 0 && written < 5_000_000, `${written} bytes were taken`);
  });

  test("finish waits for a silent client for a while only", async () => {
    const [outside, client] = pair();
    await client.finish();
    assertEquals(await readAll(outside), "");
  });

  test("finish waits for one that is carried for a while only", async () => {
    const [outside, inside] = memoryPair(A, B);
    const carrying = Object.assign(inside, { carryTo: () => true });
    const client = new ClientConn(carrying);
    client.carryTo(inside, {} as Carriage); // which nothing ever comes of
    await client.finish();
    assertEquals(await readAll(outside), "");
  });

  test("finish waits for writes under way, though the client has ended", async () => {
    const [outside, client] = pair();
    await outside.closeWrite();
    assertEquals(await client.read(), null);
    const count = 5_000_000;
    const writing = client.write(new Uint8Array(count));
    let isOver = false;
    const finishing = client.finish().then(() => isOver = true);
    await sleep(50);
    assert(!isOver);
    assertEquals((await digestAll(outside)).count, count);
    await Promise.all([writing, finishing]);
    assertEquals(client.bytesOut, count);
  });

  test("finish takes over a read that a service left behind", async () => {
    const [outside, client] = pair();
    const left = client.read();
    const finishing = client.finish();
    await outside.write(bytes("x"));
    assertEquals(text((await left)!), "x");
    await outside.closeWrite();
    await finishing;
  });

  test("finish is quiet when the client is gone, or all is closed", async () => {
    for (const gone of ["close", "abort"] as const) {
      const [outside, client] = pair();
      outside[gone]();
      await client.finish();
      await client.finish();
    }
    const [, client] = pair();
    client.abort();
    await client.finish();
  });

  test("ends its side once, however often it is told", async () => {
    const [outside, client] = pair();
    await client.write(bytes("a"));
    await Promise.all([client.closeWrite(), client.closeWrite()]);
    await client.closeWrite();
    assertEquals(await readAll(outside), "a");
  });

  test("is a pair of Web Streams as well", async () => {
    const [outside, client] = pair();
    client.unread(bytes("early "));
    const echoing = client.readable.pipeTo(client.writable);
    await outside.write(bytes("late"));
    assertEquals(await readSome(outside, 10), "early late");
    await outside.closeWrite();
    await echoing;
    assertEquals(await readAll(outside), "");
    assertEquals([client.bytesIn, client.bytesOut], [10, 10]);
  });
});
