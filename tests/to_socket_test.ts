/** A connection as a socket of node:net. */
import { once } from "node:events";
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, serve, TcpmuxError, toSocket } from "../mod.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { WrappedConn } from "../src/transport/stream_conn.ts";
import type { Conn } from "../src/transport/transport.ts";
import { bytes, digestAll, pattern, readAll } from "./support/bytes.ts";
import { kinds, withPair as withPairOf } from "./support/ends.ts";
import { rejectsWith } from "./support/rejects.ts";
import { until } from "./support/wait.ts";

const transport = await pickTransport();

for (const { name, make } of kinds()) {
  const withSocket = (
    use: (
      socket: ReturnType<typeof toSocket>,
      peer: Conn,
      conn: Conn,
    ) => Promise<void>,
    options = {},
  ) =>
    withPairOf(transport, make(), async (client, peer) => {
      const socket = toSocket(new WrappedConn(client), options);
      try {
        await use(socket, peer, client);
      } finally {
        socket.on("error", () => {}).destroy();
      }
    });

  const hasReset = transport.abilities.reset && name.startsWith("IP");

  describe(`a socket over ${name}`, () => {
    test("has the addresses of both ends, and is open", () =>
      withSocket(async (socket, _, { local, remote }) => {
        const [here, there] = [local, remote].map((end) =>
          end.transport === "tcp" ? end : undefined
        );
        assertEquals(socket.remoteAddress, there?.host);
        assertEquals(socket.remotePort, there?.port);
        assertEquals(socket.localAddress, here?.host);
        assertEquals(socket.localPort, here?.port);
        const family = here && (here.host.includes(":") ? "IPv6" : "IPv4");
        assertEquals(socket.remoteFamily, family);
        assertEquals(
          socket.address() as unknown,
          here ? { address: here.host, port: here.port, family } : {},
        );
        assertEquals(socket.readyState, "open");
        assertEquals([socket.connecting, socket.pending], [false, false]);
        for (
          const same of [
            socket.setKeepAlive(true, 1000),
            socket.setNoDelay(true),
            socket.unref(),
            socket.ref(),
          ]
        ) assert(same === socket);
        await Promise.resolve();
      }));

    test("carries megabytes both ways, and counts them", () =>
      withSocket(async (socket, peer) => {
        const block = pattern(251 * 20_000);
        const echo = (async () => {
          for (let got; (got = await peer.read()) !== null;) {
            await peer.write(got);
          }
          await peer.closeWrite();
        })();
        socket.end(block);
        const chunks: Uint8Array[] = [];
        for await (const chunk of socket) chunks.push(chunk);
        await echo;
        assert(Buffer.concat(chunks).equals(Buffer.from(block)));
        assertEquals(socket.bytesWritten, block.length);
        assertEquals(socket.bytesRead, block.length);
      }));

    test("holds back a peer while nobody reads", () =>
      withSocket(async (socket, peer) => {
        let isWritten = false;
        const writing = peer.write(new Uint8Array(32 * 1024 * 1024))
          .then(() => isWritten = true);
        await until("the socket has some", () => socket.readableLength > 0);
        await new Promise((resolve) => setTimeout(resolve, 100));
        assert(!isWritten);
        assert(socket.readableLength < 1024 * 1024);
        socket.resume();
        await writing;
      }));

    test("ends its side when the other has ended, or may stay half open", async () => {
      await withSocket(async (socket, peer) => {
        const closed = once(socket, "close");
        socket.resume();
        await peer.closeWrite();
        assertEquals(await peer.read(), null);
        await closed;
      });
      await withSocket(async (socket, peer) => {
        const ended = once(socket, "end");
        socket.resume();
        await peer.closeWrite();
        await ended;
        socket.end("late");
        assertEquals(await readAll(peer), "late");
      }, { allowHalfOpen: true });
    });

    test("delivers what was written before destroySoon", () =>
      withSocket(async (socket, peer) => {
        socket.write(pattern(1_000_000));
        socket.destroySoon();
        assertEquals((await digestAll(peer)).count, 1_000_000);
        assert(socket.destroyed);
      }));

    test("is destroyed with the system's code by a reset", () =>
      withSocket(async (socket, peer) => {
        if (!hasReset) return;
        const failing = once(socket, "close").then(
          () => undefined,
          (error) => error,
        );
        socket.resume();
        peer.abort();
        const error = await failing as Error & { code: string };
        assertEquals(error.code, "ECONNRESET");
        assert(error.cause instanceof TcpmuxError);
        assertEquals(error.cause.code, "connection_reset");
      }));

    test("resets the other side when told to", () =>
      withSocket(async (socket, peer) => {
        socket.resetAndDestroy();
        if (hasReset) {
          await rejectsWith("connection_reset", () => peer.read());
        } else assertEquals(await peer.read(), null);
      }));

    test("says when nothing has moved, until it is told not to", () =>
      withSocket(async (socket, peer) => {
        let times = 0;
        socket.setTimeout(50, () => times++);
        assertEquals(socket.timeout, 50);
        await once(socket, "timeout");
        assertEquals(times, 1);
        assert(!socket.destroyed);
        const never = () => times++;
        socket.setTimeout(40, never);
        socket.setTimeout(0, never);
        await peer.write(bytes("x"));
        await once(socket, "readable");
        await new Promise((resolve) => setTimeout(resolve, 80));
        assertEquals(times, 1);
      }));
  });
}

describe("a socket of a connection that is being opened", () => {
  test("is connecting, and sends what was written meanwhile", async () => {
    const server = await serve({
      server: { listen: "127.0.0.1:0" },
      services: { echo: { builtin: "echo" } },
    });
    const socket = toSocket(connect(server.addresses[0]!, "echo"));
    assertEquals([socket.connecting, socket.readyState], [true, "opening"]);
    assertEquals(socket.remoteAddress, undefined);
    socket.write("hel");
    socket.write("lo");
    await once(socket, "connect");
    assertEquals([socket.connecting, socket.readyState], [false, "open"]);
    assertEquals(socket.remoteAddress, "127.0.0.1");
    socket.end();
    let said = "";
    for await (const text of socket.setEncoding("utf8")) said += text;
    assertEquals(said, "hello");
    await server.close();
  });

  test("fails with the connection", async () => {
    const server = await serve({ server: { listen: "127.0.0.1:0" } });
    const socket = toSocket(connect(server.addresses[0]!, "nothing"));
    const error = await assertRejects(() => once(socket, "connect")) as Error;
    assert(error.cause instanceof TcpmuxError);
    assertEquals(error.cause.code, "refused");
    assert(socket.destroyed);
    await server.close();
  });

  test("lets go of the connection when it is destroyed before", async () => {
    let ended = false;
    const server = await serve({
      server: { listen: "127.0.0.1:0" },
      services: {
        wait: async (conn) => {
          while (await conn.read().catch(() => null) !== null);
          ended = true;
        },
      },
    });
    const socket = toSocket(connect(server.addresses[0]!, "wait"));
    socket.destroy();
    await once(socket, "close");
    assertEquals(socket.readyState, "closed");
    await until("the connection is over", () => ended);
    await server.close();
  });
});
