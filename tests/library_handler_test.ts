/** Functions as services. */
import { describe, test } from "node:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { connect, serve, TcpmuxError } from "../mod.ts";
import { bytes, readAll, readLine, readSome, text } from "./support/bytes.ts";
import { inMemory } from "./support/in_memory.ts";

describe("a handler", () => {
  test("has the connection's methods, and is told of its session", () =>
    inMemory({
      services: {
        Upper: async (conn, { id, service }) => {
          await conn.write(bytes(`${service} ${id}: `));
          for (let chunk; (chunk = await conn.read()) !== null;) {
            await conn.write(bytes(text(chunk).toUpperCase()));
          }
        },
      },
    }, async (set) => {
      assertEquals(await set.ask("upper\r\nabc"), "+Go\r\nUpper 1: ABC");
      const record = await set.record("Upper");
      assertEquals(
        [record.kind, record.outcome, record.bytesIn, record.bytesOut],
        ["handler", "served", 3, "Upper 1: ABC".length],
      );
    }));

  test("has Web Streams as well", () =>
    inMemory({
      services: { echo: (conn) => conn.readable.pipeTo(conn.writable) },
    }, async (set) => {
      const conn = await set.connect("echo\r\nfirst ");
      assertEquals(await readSome(conn, 11), "+Go\r\nfirst ");
      await conn.write(bytes("second"));
      assertEquals(await readSome(conn, 6), "second");
      await conn.closeWrite();
      assertEquals(await readAll(conn), "");
      conn.close();
      assertEquals((await set.record("echo")).bytesOut, 12);
    }));

  test("may be an object with aliases and a message of its own", () =>
    inMemory({
      services: {
        hello: {
          handler: (conn) => conn.write(bytes("Hello")),
          aliases: ["hi"],
          message: "Welcome",
        },
        quiet: { handler() {}, listed: false },
      },
    }, async (set) => {
      assertEquals(await set.ask("HI\r\n"), "+Welcome\r\nHello");
      assertEquals(await set.ask("quiet\r\n"), "+Go\r\n");
      assertEquals(await set.ask("help\r\n"), "hello\r\n");
    }));

  const failing: [string, () => Promise<void>][] = [
    ["throws", () => {
      throw new TypeError("oops");
    }],
    ["rejects", () => Promise.reject(new TypeError("oops"))],
  ];
  for (const [how, bad] of failing) {
    test(`that ${how} ends its client, not the server`, () =>
      inMemory({ services: { bad, good: { text: "fine" } } }, async (set) => {
        const conn = await set.connect("bad\r\n");
        assertEquals(await readLine(conn), "+Go\r\n");
        await assertRejects(() => conn.read(), TcpmuxError, "reset");
        assertEquals(await set.ask("good\r\n"), "+Go\r\nfine");
        const record = await set.record("bad");
        assertEquals([record.outcome, record.reason], ["failed", "oops"]);
        const logged = set.log.find(({ level }) => level === "error")!;
        assertEquals(logged.message, "a service threw an error");
        assertEquals(
          [logged.fields["conn"], logged.fields["service"]],
          [record.conn, "bad"],
        );
        assert(String(logged.fields["stack"]).includes("TypeError: oops"));
      }));
  }

  test("whose client goes away is no error", () =>
    inMemory({
      services: {
        wait: async (conn) => {
          while (await conn.read() !== null);
        },
      },
    }, async (set) => {
      const conn = await set.connect("wait\r\n");
      await readLine(conn);
      conn.abort();
      assertEquals((await set.record("wait")).outcome, "aborted");
      assertEquals(set.log.filter(({ level }) => level === "error"), []);
    }));

  test("may close its connection by itself", () =>
    inMemory({
      services: {
        bye: async (conn) => {
          await conn.write(bytes("bye"));
          conn.close();
        },
      },
    }, async (set) => {
      assertEquals(await set.ask("bye\r\n"), "+Go\r\nbye");
      assertEquals((await set.record("bye")).outcome, "served");
    }));

  test("may leave input unread, and its answer still arrives", () =>
    inMemory({
      services: { deaf: (conn) => conn.write(bytes("done")) },
    }, async (set) => {
      const conn = await set.connect("deaf\r\n");
      await conn.write(new Uint8Array(100_000));
      assertEquals(await readAll(conn), "+Go\r\ndone");
      conn.close();
    }));

  test("keeps the memory that it has written, also of a Buffer", async () => {
    const page = Buffer.alloc(100_000, "a");
    const server = await serve({
      server: { listen: "127.0.0.1:0" },
      services: {
        page: async (conn) => {
          await conn.write(page);
          page.fill("b");
          await conn.write(page);
          page.fill("a");
        },
      },
    }, { log() {} });
    try {
      for (let client = 0; client < 2; client++) {
        const conn = await connect(server.addresses[0]!, "page");
        const got = await readAll(conn);
        conn.close();
        assert(got === "a".repeat(100_000) + "b".repeat(100_000));
      }
    } finally {
      await server.close(0);
    }
  });
});
