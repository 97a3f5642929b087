/** How a server stops. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { parseEndpoint, serve, type TableInput, TcpmuxError } from "../mod.ts";
import { bytes, readAll, readLine, readSome } from "./support/bytes.ts";
import { inMemory } from "./support/in_memory.ts";

const ADDRESS = parseEndpoint("127.0.0.1:1");
const ECHO: TableInput = {
  server: { listen: "127.0.0.1:1" },
  services: { echo: { builtin: "echo" } },
};

describe("close", () => {
  test("waits for sessions, and takes no new ones", () =>
    inMemory(ECHO, async (set) => {
      const conn = await set.connect("echo\r\n");
      assertEquals(await readLine(conn), "+Go\r\n");
      let closed = false;
      const closing = set.server.close(60_000).then(() => closed = true);
      await assertRejects(() => set.connect("", ADDRESS), TcpmuxError);
      await conn.write(bytes("still here"));
      assertEquals(await readSome(conn, 10), "still here");
      assertEquals(closed, false);
      await conn.closeWrite();
      assertEquals(await readAll(conn), "");
      conn.close();
      await closing;
      await set.server.closed;
      assertEquals(set.records.map(({ outcome }) => outcome), ["served"]);
    }));

  test("tells those who have not asked yet, and ends", () =>
    inMemory(ECHO, async (set) => {
      const conns = [await set.connect("ec"), await set.connect("")];
      // Both are in their sessions once a later one has been answered.
      assertEquals(await set.ask("echo\r\n"), "+Go\r\n");
      const closing = set.server.close(60_000);
      for (const conn of conns) {
        assertEquals(await readAll(conn), "-Server is shutting down\r\n");
        conn.close();
      }
      await closing;
    }));

  test("ends sessions when the drain time is over", async () => {
    let aborted = false;
    await inMemory({
      server: { drain_timeout: "20ms" },
      services: {
        wait: async (conn, { signal }) => {
          signal.addEventListener("abort", () => aborted = true);
          while (await conn.read() !== null);
        },
      },
    }, async (set) => {
      const conn = await set.connect("wait\r\n");
      assertEquals(await readLine(conn), "+Go\r\n");
      await set.server.close();
      await assertRejects(() => conn.read(), TcpmuxError, "reset");
      assert(aborted);
      const { outcome, reason } = await set.record("wait");
      assertEquals([outcome, reason], ["aborted", "the server has stopped"]);
    });
  });

  test("ends a session between two other servers too", () =>
    inMemory({
      ...ECHO,
      services: { far: { connect: "127.0.0.1:7" } },
    }, async (set) => {
      const upstream = await set.transport.listen(
        parseEndpoint("127.0.0.1:7"),
      );
      const conn = await set.connect("far\r\n");
      const inside = (await upstream.accept())!;
      assertEquals(await readLine(conn), "+Go\r\n");
      await set.server.close(0);
      for (const end of [conn, inside]) {
        await assertRejects(() => end.read(), TcpmuxError, "reset");
      }
    }));

  test("called again may shorten the drain", () =>
    inMemory(ECHO, async (set) => {
      const conn = await set.connect("echo\r\n");
      assertEquals(await readLine(conn), "+Go\r\n");
      const first = set.server.close(60_000);
      await set.server.close(0);
      await first;
      await assertRejects(() => conn.read(), TcpmuxError, "reset");
    }));

  test("comes with an AbortSignal", async () => {
    const stop = new AbortController();
    await inMemory(ECHO, async (set) => {
      assertEquals(await set.ask("echo\r\nx"), "+Go\r\nx");
      stop.abort();
      await set.server.closed;
      await assertRejects(() => set.connect("", ADDRESS), TcpmuxError);
    }, { signal: stop.signal });
  });

  test("comes at once with a signal that is aborted already", () =>
    inMemory(ECHO, async (set) => {
      await set.server.closed;
      await assertRejects(() => set.connect("", ADDRESS), TcpmuxError);
    }, { signal: AbortSignal.abort() }));

  test("leaves no address behind", () =>
    inMemory(ECHO, async ({ server, transport }) => {
      for (let i = 0; i < 3; i++) {
        await server.close();
        assertEquals(server.addresses, []);
        const next = await serve(ECHO, { transport });
        await next.close();
      }
    }));
});
