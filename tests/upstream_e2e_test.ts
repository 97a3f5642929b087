import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Conn } from "../src/transport/transport.ts";
import { bytes, digestAll, pattern, writePattern } from "./support/bytes.ts";
import { ask, connectTo, exchange } from "./support/client.ts";
import { freePort, withDaemon } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { withNginx } from "./support/nginx.ts";
import { withRedis } from "./support/redis.ts";
import { connectCommand, quoted, run } from "./support/run.ts";
import { withServer } from "./support/server.ts";
import { withSshd } from "./support/sshd.ts";
import { withUpstream } from "./support/upstream.ts";
import { sleep, until } from "./support/wait.ts";

describe("existing servers as services", () => {
  test(
    "ssh logs in, runs commands and copies 20 MB both ways",
    needs("ssh", "sshd"),
    () =>
      withSshd((sshd) =>
        withServer(
          `[services.ssh]\nconnect = "127.0.0.1:${sshd.port}"\n`,
          async (server, folder) => {
            const proxy = connectCommand(server.port, "ssh").map(quoted).join(
              " ",
            );
            const ssh = (command: string, input?: Uint8Array) =>
              run([...sshd.client(proxy), command], { input, timeout: 60_000 });
            const told = await ssh("echo out; echo err >&2; exit 7");
            assertEquals(
              [told.code, String(told.stdout), told.stderr],
              [7, "out\n", "err\n"],
            );
            const data = pattern(20_000_000);
            const file = quoted(join(folder, "copy"));
            assertEquals((await ssh(`cat > ${file}`, data)).code, 0);
            const { stdout } = await ssh(`cat ${file}`);
            assert(stdout.equals(data), `got ${stdout.length} bytes`);
            const record = await server.record("ssh");
            assertEquals([record.outcome, record.reason], [
              "served",
              undefined,
            ]);
          },
        )
      ),
  );

  test(
    "redis answers over TCP and over its Unix socket",
    needs("redis-server"),
    () =>
      withRedis((redis) =>
        withServer(
          `
[services.redis]
connect = "127.0.0.1:${redis.port}"
message = "Redis here"
[services.local]
connect = "unix:${redis.socket}"
`,
          async ({ port }) => {
            const value = "v".repeat(3_000_000);
            const set = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n" +
              `$${value.length}\r\n${value}\r\n`;
            // Not ended from here: Redis throws its answers away then.
            const say = async (service: string, commands: string) => {
              const asked = await ask(port, service);
              await asked.conn.write(bytes(commands));
              const answer = await asked.readAll();
              asked.conn.close();
              return [asked.reply, answer];
            };
            assertEquals(
              await say("redis", `PING\r\n${set}QUIT\r\n`),
              ["+Redis here", "+PONG\r\n+OK\r\n+OK\r\n"],
            );
            assertEquals(await say("local", "GET k\r\nSTRLEN k\r\nQUIT\r\n"), [
              "+Go",
              `$${value.length}\r\n${value}\r\n:${value.length}\r\n+OK\r\n`,
            ]);
            // One session, question by question.
            const asked = await ask(port, "local");
            for (let i = 1; i <= 50; i++) {
              await asked.conn.write(bytes("INCR n\r\n"));
              assertEquals(await asked.read(), `:${i}\r\n`);
            }
            asked.conn.close();
          },
        )
      ),
  );

  test(
    "nginx serves a page and 50 MB",
    needs("nginx"),
    () =>
      withNginx((nginx) =>
        withServer(
          `[services.http]\nconnect = ["localhost:${nginx.port}"]\n`,
          async (server) => {
            const data = pattern(50_000_000);
            writeFileSync(join(nginx.root, "page"), "a page\n");
            writeFileSync(join(nginx.root, "large"), data);
            const page = await exchange(
              server.port,
              "http\r\nGET /page HTTP/1.0\r\n\r\n",
            );
            assertMatch(page, /^\+Go\r\nHTTP\/1\.1 200 OK\r\n/);
            assertMatch(page, /\r\n\r\na page\n$/);

            const { conn } = await ask(server.port, "http");
            await conn.write(bytes("GET /large HTTP/1.0\r\n\r\n"));
            let head = "";
            let end = -1;
            while (end < 0) {
              head += Buffer.from((await conn.read())!).toString("latin1");
              end = head.indexOf("\r\n\r\n");
            }
            const hash = createHash("sha256");
            const rest = Buffer.from(head.slice(end + 4), "latin1");
            hash.update(rest);
            let count = rest.length;
            for (let chunk; (chunk = await conn.read()) !== null;) {
              hash.update(chunk);
              count += chunk.length;
            }
            conn.close();
            assertEquals(
              [count, hash.digest("hex")],
              [data.length, createHash("sha256").update(data).digest("hex")],
            );
            const all = head.length - rest.length + count;
            const record = await server.logged(
              "connection",
              (line) => line.bytes_out === all,
            );
            assertEquals(record.outcome, "served");
          },
        )
      ),
  );

  test("who reads nothing while keep-alive is switched on gets all", () => {
    const total = 50_000_000;
    return withUpstream(
      async (conn) => {
        await writePattern(conn, total);
        await conn.closeWrite();
        assertEquals(await conn.read(), null);
      },
      (port) =>
        withServer(
          `[services.much]\nconnect = "127.0.0.1:${port}"\n`,
          async (server) => {
            const conn = await connectTo(server.port);
            await conn.write(bytes("much\r\n"));
            await sleep(5_500); // writes wait; keep-alive comes after 5 s
            const { count } = await digestAll(conn);
            assertEquals(count, "+Go\r\n".length + total);
            conn.close();
            assertEquals((await server.record("much")).bytes_out, total);
          },
        ),
    );
  });

  test("the ends of both sides pass through", needs("socat"), async () => {
    const port = await freePort();
    const listen = `TCP-LISTEN:${port},bind=127.0.0.1,fork,reuseaddr`;
    const digesting = ["socat", "-t30", listen, "EXEC:sha256sum"];
    await withDaemon(digesting, port, () =>
      withServer(
        `[services.digest]\nconnect = "127.0.0.1:${port}"\n`,
        async (server) => {
          const total = 30_000_000;
          const { conn } = await ask(server.port, "digest");
          const digest = await writePattern(conn, total);
          await conn.closeWrite();
          const got = Buffer.from((await conn.read())!).toString();
          assertEquals(got, `${digest}  -\n`);
          assertEquals(await conn.read(), null);
          conn.close();
          const record = await server.record("digest");
          assertEquals(
            [record.outcome, record.bytes_in, record.bytes_out],
            ["served", total, got.length],
          );
        },
      ));
  });

  test("an upstream that ends first still gets what the client sends", () => {
    let got: { count: number; digest: string } | undefined;
    const serve = async (conn: Conn) => {
      await conn.closeWrite();
      got = await digestAll(conn);
    };
    return withUpstream(serve, (port) =>
      withServer(
        `[services.sink]\nconnect = "127.0.0.1:${port}"\n`,
        async (server) => {
          const { conn } = await ask(server.port, "sink");
          assertEquals(await conn.read(), null);
          const total = 5_000_000;
          const digest = await writePattern(conn, total);
          await conn.closeWrite();
          const record = await server.record("sink");
          assertEquals(
            [record.outcome, record.bytes_in, record.bytes_out],
            ["served", total, 0],
          );
          conn.close();
          await until("it has it all", () => got !== undefined);
          assertEquals(got, { count: total, digest });
        },
      ));
  });

  test(
    "100 clients at once each get their own bytes",
    needs("redis-server"),
    () =>
      withRedis((redis) =>
        withServer(
          `[services.redis]\nconnect = "unix:${redis.socket}"\n`,
          async ({ port }) => {
            const clients = Array.from({ length: 100 }, async (_, i) => {
              const word = `${i}-`.repeat(2_000);
              const conn = await connectTo(port);
              await conn.write(bytes(`redis\r\nECHO ${word}\r\nQUIT\r\n`));
              const wanted = `+Go\r\n$${word.length}\r\n${word}\r\n+OK\r\n`;
              const { digest } = await digestAll(conn);
              conn.close();
              return digest ===
                createHash("sha256").update(wanted).digest("hex");
            });
            assertEquals((await Promise.all(clients)).every(Boolean), true);
          },
        )
      ),
  );
});

describe("an upstream that is ready with its first byte", () => {
  const dumb: [string, (conn: Conn) => Promise<void>][] = [
    ["closes at once", () => Promise.resolve()],
    ["says nothing", async (conn) => {
      await conn.read().catch(() => {}); // until the server gives it up
    }],
  ];
  const table = (ports: number[], keys: string) => {
    const upstreams = ports.map((port) => `"127.0.0.1:${port}"`).join();
    return `[services.ssh]\nconnect = [${upstreams}]\n${keys}\n`;
  };
  const FIRST = 'ready = "first-byte"\nconnect_timeout = "300ms"';

  for (const [how, serve] of dumb) {
    test(
      `is tried behind one that ${how}`,
      needs("sshd"),
      () =>
        withSshd((sshd) =>
          withUpstream(
            serve,
            (port) =>
              withServer(table([port, sshd.port], FIRST), async (server) => {
                const conn = await connectTo(server.port);
                await conn.write(bytes("ssh\r\n"));
                let text = "";
                while (text.split("\n").length < 3) {
                  text += String.fromCharCode(...(await conn.read())!);
                }
                assertMatch(text, /^\+Go\r\nSSH-2\.0-/);
                conn.abort();
              }),
          )
        ),
    );

    test(`is none that ${how}, and the log says so`, () =>
      withUpstream(
        serve,
        (port) =>
          withServer(table([port], FIRST), async (server) => {
            const { conn, reply } = await ask(server.port, "ssh");
            assertMatch(reply, /^-/);
            conn.close();
            const { outcome, reason } = await server.record("ssh");
            assertEquals(outcome, "failed");
            assertMatch(
              String(reason),
              /closed without sending a byte|sent nothing in/,
            );
          }),
      ));
  }

  test("is only connected to by default", () =>
    withUpstream(
      () => Promise.resolve(),
      (port) =>
        withServer(table([port], ""), async (server) => {
          assertEquals(await exchange(server.port, "ssh\r\n"), "+Go\r\n");
        }),
    ));
});
