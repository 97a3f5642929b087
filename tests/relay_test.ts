import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClientConn } from "../src/client_conn.ts";
import type { Endpoint } from "../src/endpoint.ts";
import { codeOf, TcpmuxError } from "../src/errors.ts";
import { relay } from "../src/relay.ts";
import { memoryPair } from "../src/transport/memory.ts";
import type { Conn } from "../src/transport/transport.ts";
import {
  bytes,
  digestAll,
  readAll,
  readSome,
  writePattern,
} from "./support/bytes.ts";
import { until } from "./support/wait.ts";

const A: Endpoint = { transport: "tcp", host: "127.0.0.1", port: 1 };
const B: Endpoint = { transport: "tcp", host: "127.0.0.1", port: 2 };

/** A relay in the middle: who connects, who is connected to, how it ended. */
function relayed(gone?: Promise<void>): {
  outside: Conn;
  upstream: Conn;
  client: ClientConn;
  stop: AbortController;
  ended: Promise<string>;
} {
  const [outside, inside] = memoryPair(A, B);
  const [peer, upstream] = memoryPair(A, B);
  const client = new ClientConn(inside);
  const stop = new AbortController();
  const ended = relay(client, peer, stop.signal, gone).then(
    () => "done",
    (error) => codeOf(error),
  );
  return { outside, upstream, client, stop, ended };
}

describe("relay", () => {
  test("carries what was read too early first", async () => {
    const [outside, inside] = memoryPair(A, B);
    const [peer, upstream] = memoryPair(A, B);
    const client = new ClientConn(inside);
    client.unread(bytes("early "));
    await outside.write(bytes("late"));
    await outside.closeWrite();
    const done = relay(client, peer, new AbortController().signal);
    assertEquals(await readAll(upstream), "early late");
    await upstream.closeWrite();
    await done;
  });

  for (const first of ["client", "peer"] as const) {
    test(`passes the end of the ${first} on, and the other goes on`, async () => {
      const { outside, upstream, client, ended } = relayed();
      const [ending, going] = first === "client"
        ? [outside, upstream]
        : [upstream, outside];
      await ending.write(bytes("question"));
      await ending.closeWrite();
      assertEquals(await readAll(going), "question");
      const sent = writePattern(going, 1_000_000).then(async (digest) => {
        await going.closeWrite();
        return digest;
      });
      const got = await digestAll(ending);
      assertEquals(got, { count: 1_000_000, digest: await sent });
      assertEquals(await ended, "done");
      const [small, large] = [8, 1_000_000];
      assertEquals(
        [client.bytesIn, client.bytesOut],
        first === "client" ? [small, large] : [large, small],
      );
    });
  }

  test("carries both ways at once", async () => {
    const { outside, upstream, ended } = relayed();
    const total = 4_000_000;
    const send = async (conn: Conn) => {
      const digest = await writePattern(conn, total);
      await conn.closeWrite();
      return digest;
    };
    const [up, down, got, back] = await Promise.all([
      send(outside),
      send(upstream),
      digestAll(upstream),
      digestAll(outside),
    ]);
    assertEquals([got.digest, back.digest], [up, down]);
    assertEquals(await ended, "done");
  });

  test("holds a sender back while the other side does not read", async () => {
    const { outside, upstream, client } = relayed();
    let [written, before] = [0, -1];
    const sending = (async () => {
      for (; written < 8_000_000; written += 50_000) {
        await outside.write(new Uint8Array(50_000));
      }
    })();
    await until("the sender stands still", () => {
      const still = written === before;
      before = written;
      return still;
    });
    assert(written < 4_000_000, `${written} bytes went nowhere`);
    assert(client.bytesIn < 4_000_000);
    const reading = digestAll(upstream);
    await sending;
    await outside.closeWrite();
    assertEquals((await reading).count, 8_000_000);
    await upstream.closeWrite();
  });

  test("passes a reset of the client on to the peer", async () => {
    const { outside, upstream, ended } = relayed();
    outside.abort();
    const error = await assertRejects(() => upstream.read(), TcpmuxError);
    assertEquals(error.code, "connection_reset");
    assertEquals(await ended, "connection_reset");
  });

  test("passes a reset of the peer on to the client", async () => {
    const { outside, upstream, ended } = relayed();
    upstream.abort();
    const error = await assertRejects(() => outside.read(), TcpmuxError);
    assertEquals(error.code, "connection_reset");
    assertEquals(await ended, "connection_reset");
  });

  test("tells a peer that a client is gone which had ended before", async () => {
    const { outside, upstream, ended } = relayed();
    await outside.closeWrite();
    assertEquals(await readAll(upstream), "");
    outside.abort();
    await assertRejects(async () => {
      for (;;) await upstream.write(bytes("to nobody"));
    }, TcpmuxError);
    assertEquals(await ended, "connection_reset");
  });

  test("is done when a peer is gone that had ended before", async () => {
    const { outside, upstream, ended } = relayed();
    await upstream.closeWrite();
    assertEquals(await readAll(outside), "");
    upstream.abort();
    await outside.write(bytes("to nobody"));
    assertEquals(await ended, "done");
  });

  test("lets go of both sides when it is told to end", async () => {
    const { outside, upstream, stop, ended } = relayed();
    await outside.write(bytes("a"));
    assertEquals(await readSome(upstream, 1), "a");
    stop.abort();
    assertEquals(await ended, "closed");
    for (const conn of [outside, upstream]) {
      await assertRejects(() => conn.read(), TcpmuxError, "reset");
    }
    const [, client] = memoryPair(A, B);
    const [peer] = memoryPair(A, B);
    await assertRejects(() => relay(client, peer, AbortSignal.abort()));
  });

  test("delivers what a client sent before it went", async () => {
    const { outside, upstream, ended } = relayed();
    await outside.write(bytes("last words"));
    outside.close();
    assertEquals(await readSome(upstream, 10), "last words");
    await upstream.write(bytes("to nobody"));
    assertEquals(await upstream.read(), null);
    assertEquals(await ended, "broken_pipe");
  });

  test("delivers a peer's answer when the peer reads no more", async () => {
    const { outside, upstream, ended } = relayed();
    await upstream.write(bytes("go away"));
    upstream.close();
    assertEquals(await readSome(outside, 7), "go away");
    // The client is not held up, though nobody takes what it sends.
    for (let i = 0; i < 100; i++) await outside.write(new Uint8Array(10_000));
    await outside.closeWrite();
    assertEquals(await readAll(outside), "");
    assertEquals(await ended, "done");
  });

  test("does not wait for the client of a peer that is gone", async () => {
    let leave: () => void;
    const { outside, upstream, ended } = relayed(
      new Promise((resolve) => leave = resolve),
    );
    await upstream.write(bytes("answer"));
    await upstream.closeWrite();
    assertEquals(await readAll(outside), "answer");
    leave!();
    assertEquals(await ended, "done");
  });
});
