import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import type { Conn } from "../src/transport/transport.ts";
import { bytes, digestAll, readLine, writePattern } from "./support/bytes.ts";
import { ask, exchange } from "./support/client.ts";
import { freePort } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { withRedis } from "./support/redis.ts";
import { rudeClient } from "./support/rude.ts";
import { type RunningServer, withServer } from "./support/server.ts";
import { withSshd } from "./support/sshd.ts";
import { withUpstream } from "./support/upstream.ts";

const BEHIND = `
[services.cat]
exec = ["cat"]
message = "Behind, at your service"
[services.first]
text = "the server speaks first\\n"
message = ""
[services.digest]
exec = ["sha256sum"]
[services.shut]
builtin = "echo"
enabled = false
[services.own]
exec = ["printf", "+mine\\r\\nand more"]
reply = "service"
`;

/** Runs `use` with two servers, the first of which hands on to the second. */
function withTwo(
  use: (front: RunningServer, behind: RunningServer) => Promise<void>,
): Promise<void> {
  return withServer(BEHIND, (behind) => {
    const services = ["cat", "first", "digest", "shut", "own", "none"]
      .map((name) => `
[services.front-${name}]
tcpmux = "127.0.0.1:${behind.port}/${name}"
message = "Not said"
`);
    return withServer(services.join(""), (front) => use(front, behind));
  });
}

describe("a service of another TCPMUX server", () => {
  test("is answered with that server's reply and bytes", () =>
    withTwo(async ({ port }) => {
      const cases: [string, string][] = [
        ["front-cat\r\nearly", "+Behind, at your service\r\nearly"],
        ["front-first\r\n", "+\r\nthe server speaks first\n"],
        ["front-own\r\n", "+mine\r\nand more"],
      ];
      for (const [request, answer] of cases) {
        assertEquals(await exchange(port, request), answer);
      }
    }));

  test("is refused with that server's refusal", () =>
    withTwo(async (front, behind) => {
      for (const name of ["none", "shut"]) {
        assertEquals(
          await exchange(front.port, `front-${name}\r\nearly`),
          "-Service not available\r\n",
        );
        const record = await front.record(`front-${name}`);
        assertEquals(
          [record.outcome, record.reason],
          ["failed", "the upstream refused: Service not available"],
        );
      }
      await behind.logged("connection", (line) => line.outcome === "unknown");
      await behind.logged("connection", (line) => line.outcome === "denied");
    }));

  test("has the ends of both sides passed through", () =>
    withTwo(async (front, behind) => {
      const { conn } = await ask(front.port, "front-digest");
      const total = 20_000_000;
      const digest = await writePattern(conn, total);
      await conn.closeWrite();
      const got = Buffer.from((await conn.read())!).toString();
      assertEquals(got, `${digest}  -\n`);
      assertEquals(await conn.read(), null);
      conn.close();
      for (
        const record of [
          await front.record("front-digest"),
          await behind.record("digest"),
        ]
      ) {
        assertEquals(
          [record.outcome, record.bytes_in, record.bytes_out],
          ["served", total, got.length],
        );
      }
    }));

  test("carries bytes both ways at once", () =>
    withTwo(async (front) => {
      const { conn } = await ask(front.port, "front-cat");
      const total = 20_000_000;
      const sending = writePattern(conn, total).then(async (digest) => {
        await conn.closeWrite();
        return digest;
      });
      const got = await digestAll(conn);
      assertEquals(got, { count: total, digest: await sending });
      conn.close();
    }));

  test("is let go when the client resets", () =>
    withTwo(async (front, behind) => {
      const client = await rudeClient(front.port, "front-cat\r\nhi\n", {
        lines: 2,
      });
      assertEquals(client.got, "+Behind, at your service\r\nhi\n");
      await client.reset();
      assertEquals((await front.record("front-cat")).outcome, "aborted");
      await behind.record("cat");
    }));

  test("can be reached over a Unix socket", () =>
    withServer(
      `[server]\nlisten = ["127.0.0.1:0", "unix:{folder}/mux"]\n${BEHIND}
[services.self]
tcpmux = "unix:{folder}/mux/first"
`,
      async ({ port }) => {
        const answer = await exchange(port, "self\r\n");
        assertEquals(answer, "+\r\nthe server speaks first\n");
      },
      { args: [] },
    ));

  // By a path that does not look like the listener's, or it would be refused.
  test("that is itself ends when the server is full", () =>
    withServer(
      `[server]
listen = ["127.0.0.1:0", "unix:{folder}/mux"]
max_connections = 20
[services.loop]
tcpmux = "unix:/proc/self/cwd/mux/loop"
`,
      async ({ port }) => {
        const answer = await exchange(port, "loop\r\n");
        assertEquals(answer, "-Server busy, try again later\r\n");
      },
      { args: [] },
    ));
});

describe("another server that is none", () => {
  /** One question to a service that `port` is to have. */
  async function refused(port: number, answer: string, reason: RegExp) {
    const table = `[services.there]
tcpmux = "127.0.0.1:${port}/name"
connect_timeout = "500ms"
`;
    await withServer(table, async (server) => {
      assertEquals(await exchange(server.port, "there\r\nearly"), answer);
      const record = await server.record("there");
      assertEquals(record.outcome, "failed");
      assertMatch(String(record.reason), reason);
    });
  }
  const unavailable = "-Service temporarily unavailable\r\n";

  test("because it is down", async () =>
    refused(await freePort(), unavailable, /^cannot connect to .*refused/));

  test(
    "because it is an sshd",
    needs("sshd"),
    () => withSshd(({ port }) => refused(port, unavailable, /reply/)),
  );

  test(
    "because it is a Redis, which knows minus signs",
    needs("redis-server"),
    () =>
      withRedis(({ port }) =>
        refused(
          port,
          "-ERR unknown command 'name', with args beginning with: \r\n",
          /^the upstream refused: ERR unknown command/,
        )
      ),
  );

  const cases: [string, (conn: Conn) => Promise<void>, RegExp][] = [
    [
      "ends without a word",
      (conn) => conn.closeWrite(),
      /it closed the connection/,
    ],
    [
      "ends within its reply",
      async (conn) => {
        await readLine(conn);
        await conn.write(bytes("+almos"));
      },
      /it closed the connection/,
    ],
    ["says nothing", async (conn) => {
      while (await conn.read().catch(() => null) !== null);
    }, /no answer in 500 ms/],
    [
      "speaks without end",
      async (conn) => {
        const line = bytes(`+${"x".repeat(4_000)}`);
        await conn.write(line);
        await conn.read().catch(() => null); // the name
        await conn.read().catch(() => null);
      },
      /reply/,
    ],
  ];
  for (const [what, serve, reason] of cases) {
    test(`because it ${what}`, () =>
      withUpstream(serve, (port) => refused(port, unavailable, reason)));
  }

  test("has nothing unprintable of its reply passed on", () => {
    const serve = async (conn: Conn) => {
      await readLine(conn);
      await conn.write(bytes("-a\x1b[31mb\xff\0\r\nmore"));
    };
    return withUpstream(
      serve,
      (port) => refused(port, "-a?[31mb???\r\n", /refused: a\?\[31mb\?\?\?$/),
    );
  });
});
