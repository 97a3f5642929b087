import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { pickTransport } from "../src/transport/pick.ts";
import type { Conn } from "../src/transport/transport.ts";
import { blackhole } from "./support/blackhole.ts";
import { bytes, pattern, readSome } from "./support/bytes.ts";
import { ask, exchange } from "./support/client.ts";
import { freePort } from "./support/daemon.ts";
import { rudeClient } from "./support/rude.ts";
import { programResets, withServer } from "./support/server.ts";
import { withUpstream } from "./support/upstream.ts";
import { descriptors, descriptorsBackTo, until } from "./support/wait.ts";

const { abilities } = await pickTransport();
const REFUSED = "-Service temporarily unavailable\r\n";

describe("an upstream that does not answer", () => {
  test("is refused, and the log alone says why", async () => {
    const port = await freePort();
    const table = `
[services.down]
connect = "127.0.0.1:${port}"
[services.all]
connect = ["127.0.0.1:${port}", "unix:/no/such/socket"]
[services.name]
connect = "no-such-host.invalid:80"
`;
    const cases: [string, RegExp][] = [
      ["down", new RegExp(`^cannot connect to 127.0.0.1:${port}: .*refused`)],
      ["all", /127\.0\.0\.1.*; cannot connect to unix:\/no\/such\/socket: /],
      ["name", /^cannot connect to no-such-host\.invalid:80: /],
    ];
    await withServer(table, async (server) => {
      for (const [service, why] of cases) {
        const answer = await exchange(server.port, `${service}\r\nbytes`);
        assertEquals(answer, REFUSED);
        const record = await server.record(service);
        assertEquals(
          [record.outcome, record.bytes_in, record.bytes_out],
          ["failed", 0, 0],
        );
        assertMatch(String(record.reason), why);
      }
    });
  });

  test("is passed over for the next one of the list", async () => {
    const down = await freePort();
    const greet = (conn: Conn) => conn.write(bytes("second\n"));
    await withUpstream(greet, (port, accepted) =>
      withServer(
        `[services.list]
connect = ["127.0.0.1:${down}", "unix:/no/such/socket", "127.0.0.1:${port}"]
`,
        async (server) => {
          const answer = await exchange(server.port, "list\r\n");
          assertEquals([answer, accepted()], ["+Go\r\nsecond\n", 1]);
        },
      ));
  });

  test("is given up after connect_timeout, and holds nothing then", async () => {
    const hole = await blackhole();
    const silent = hole.endpoint.transport === "tcp" ? hole.endpoint.port : 0;
    try {
      await withServer(
        `[services.hole]
connect = "127.0.0.1:${silent}"
connect_timeout = "300ms"
[services.echo]
builtin = "echo"
`,
        async (server) => {
          await exchange(server.port, "echo\r\n");
          const before = descriptors(server.pid);
          assertEquals(await exchange(server.port, "hole\r\n"), REFUSED);
          const record = await server.record("hole");
          assertMatch(String(record.reason), /no answer in 300 ms$/);
          assertEquals(record.outcome, "failed");
          await descriptorsBackTo(before, server.pid);
        },
      );
    } finally {
      hole.close();
    }
  });
});

describe("a connection that breaks off", () => {
  const table = (port: number, keys = "") => `
[services.up]
connect = "127.0.0.1:${port}"
${keys}
[services.echo]
builtin = "echo"
`;
  test("at the upstream: the client is told by the end", () => {
    const breakOff = async (conn: Conn) => {
      await conn.write(bytes("half"));
      await readSome(conn, 2);
      conn.abort();
    };
    return withUpstream(
      breakOff,
      (port) =>
        withServer(table(port), async (server) => {
          const asked = await ask(server.port, "up");
          assertEquals(await asked.read(), "half");
          await asked.conn.write(bytes("go"));
          // Where the client cannot tell a reset, it sees the end.
          const last = await asked.read().catch(() => null);
          assertEquals(last, null);
          asked.conn.close();
          const record = await server.record("up");
          const outcome = abilities.reset ? "aborted" : "served";
          assertEquals([record.outcome, record.bytes_out], [outcome, 4]);
        }),
    );
  });

  test("at the client: the upstream is let go", () => {
    let end: string | undefined;
    const wait = async (conn: Conn) => {
      await conn.write(bytes("hello\n"));
      end = await conn.read().then((got) => got === null ? "end" : "bytes")
        .catch(() => "reset");
    };
    return withUpstream(
      wait,
      (port) =>
        withServer(table(port), async (server) => {
          await exchange(server.port, "echo\r\n");
          const before = descriptors(server.pid);
          const client = await rudeClient(server.port, "up\r\n", { lines: 2 });
          assertEquals(client.got, "+Go\r\nhello\n");
          assert(descriptors(server.pid) > before);
          await client.reset();
          const record = await server.record("up");
          assertEquals(record.outcome, "aborted");
          await descriptorsBackTo(before, server.pid);
          await until("the upstream knows", () => end !== undefined);
          assertEquals(end, programResets() ? "reset" : "end");
        }),
    );
  });

  test("at a client that is sent to: the upstream is let go", () => {
    let sent = 0;
    const flood = async (conn: Conn) => {
      await conn.write(bytes("hello\n"));
      try {
        for (;;) {
          await conn.write(pattern(64 * 1024));
          sent++;
        }
      } catch {
        // As it should.
      }
    };
    return withUpstream(
      flood,
      (port) =>
        withServer(table(port), async (server) => {
          await exchange(server.port, "echo\r\n");
          const before = descriptors(server.pid);
          const client = await rudeClient(server.port, "up\r\n", { lines: 2 });
          await until("the upstream sends", () => sent > 2);
          await client.reset();
          assertEquals((await server.record("up")).outcome, "aborted");
          await descriptorsBackTo(before, server.pid);
        }),
    );
  });

  test("by idle_timeout, when nothing moves", () => {
    const quiet = async (conn: Conn) => {
      await conn.write(bytes("hello\n"));
      await conn.read().catch(() => null);
    };
    return withUpstream(
      quiet,
      (port) =>
        withServer(table(port, `idle_timeout = "400ms"`), async (server) => {
          const asked = await ask(server.port, "up");
          assertEquals(await asked.read(), "hello\n");
          assertEquals(await asked.read().catch(() => null), null);
          asked.conn.close();
          const record = await server.record("up");
          assertEquals(
            [record.outcome, record.reason, record.bytes_out],
            ["timeout", "idle_timeout expired", 6],
          );
        }),
    );
  });

  test("not by idle_timeout, as long as something moves", () => {
    const tick = async (conn: Conn) => {
      for (let i = 0; i < 12; i++) {
        await conn.write(bytes("."));
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
    };
    return withUpstream(
      tick,
      (port) =>
        withServer(table(port, `idle_timeout = "1s"`), async (server) => {
          const answer = await exchange(server.port, "up\r\n");
          assertEquals(answer, `+Go\r\n${".".repeat(12)}`);
          assertEquals((await server.record("up")).outcome, "served");
        }),
    );
  });

  test("by idle_timeout, when neither side takes what the other sends", () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => release = resolve);
    return withUpstream(
      () => released,
      (port) =>
        withServer(table(port, `idle_timeout = "500ms"`), async (server) => {
          await exchange(server.port, "echo\r\n");
          const before = descriptors(server.pid);
          const client = await rudeClient(server.port, "up\r\n", {
            lines: 1,
            more: 1_000_000_000,
          });
          assertEquals((await server.record("up")).outcome, "timeout");
          await descriptorsBackTo(before, server.pid);
          await client.reset();
          release();
        }),
    );
  });
});
