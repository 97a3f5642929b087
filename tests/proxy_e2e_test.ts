import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import type { Conn } from "../src/transport/transport.ts";
import {
  bytes,
  digestAll,
  readAll,
  readSome,
  text,
  writePattern,
} from "./support/bytes.ts";
import { connectTo, exchange } from "./support/client.ts";
import { tcpmux } from "./support/command.ts";
import { freePort } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { withNginx } from "./support/nginx.ts";
import { mustRun, run } from "./support/run.ts";
import { portOf, type RunningCommand, withCommand } from "./support/running.ts";
import { withServer } from "./support/server.ts";
import { withSshd } from "./support/sshd.ts";
import { withUpstream } from "./support/upstream.ts";

const TABLE = `
[services.echo]
builtin = "echo"
[services.digest]
exec = ["sha256sum"]
[services.say]
exec = ["cat"]
[services.first]
text = "the server speaks first\\n"
`;

const GREETING = "\x05\x01\0";
const CONNECT = "CONNECT echo:7 HTTP/1.1\r\nHost: echo:7\r\n\r\n";
const ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";

function socksFor(name: string): string {
  return `${GREETING}\x05\x01\0\x03${
    String.fromCharCode(name.length)
  }${name}\0\x50`;
}

function socksAnswer(reply: number): string {
  return `\x05\0\x05${String.fromCharCode(reply)}\0\x01\0\0\0\0\0\0`;
}

/** Runs `use` with a proxy to a TCPMUX server at that port. */
function proxyTo(
  server: number,
  use: (port: number, proxy: RunningCommand) => Promise<void>,
  flags: readonly string[] = [],
): Promise<void> {
  return withCommand(
    () => ["proxy", "0", `127.0.0.1:${server}`, "--json", ...flags],
    async (proxy) => {
      const ready = await proxy.ready<{ listen: string; server: string }>();
      assertEquals(ready.server, `127.0.0.1:${server}`);
      await use(portOf(ready.listen), proxy);
    },
  );
}

function withProxy(
  use: (port: number, proxy: RunningCommand) => Promise<void>,
  flags: readonly string[] = [],
  table = TABLE,
): Promise<void> {
  return withServer(table, ({ port }) => proxyTo(port, use, flags));
}

/** What a client gets who sends bytes; a character is one. */
async function raw(port: number, request: string): Promise<string> {
  const conn = await connectTo(port);
  try {
    await conn.write(Uint8Array.from(request, (char) => char.charCodeAt(0)));
    await conn.closeWrite();
    return await readAll(conn);
  } finally {
    conn.close();
  }
}

async function digestThrough(conn: Conn): Promise<void> {
  const expected = await writePattern(conn, 3_000_000);
  await conn.closeWrite();
  assertEquals((await readAll(conn)).slice(0, 64), expected);
  conn.close();
}

/** The record of the first client that has asked for that name. */
async function recordOf(proxy: RunningCommand, name: string) {
  const line = await proxy.logged(
    "connection",
    ({ requested }) => requested === name,
  );
  assertEquals([line.service, line.kind], ["proxy", "tcpmux"]);
  return line;
}

describe("tcpmux proxy", () => {
  test("takes SOCKS5 and CONNECT on one port, and what comes with them", () =>
    withProxy(async (port, proxy) => {
      assertEquals(
        await raw(port, `${socksFor("echo")}early`),
        `${socksAnswer(0)}early`,
      );
      assertEquals(await raw(port, `${CONNECT}early`), `${ESTABLISHED}early`);
      assertEquals(
        await raw(port, socksFor("FIRST")),
        `${socksAnswer(0)}the server speaks first\n`,
      );
      const { outcome, bytes_in, bytes_out } = await recordOf(proxy, "echo");
      assertEquals([outcome, bytes_in, bytes_out], ["served", 5, 5]);
    }));

  test("takes them byte by byte", () =>
    withProxy(async (port) => {
      for (
        const [request, answer] of [
          [socksFor("echo"), socksAnswer(0)],
          [CONNECT, ESTABLISHED],
        ] as const
      ) {
        const conn = await connectTo(port);
        for (const char of request) {
          await conn.write(Uint8Array.of(char.charCodeAt(0)));
        }
        assertEquals(await readSome(conn, answer.length), answer);
        const reading = digestAll(conn);
        const digest = await writePattern(conn, 1_000_000);
        await conn.closeWrite();
        assertEquals(await reading, { count: 1_000_000, digest });
        conn.close();
      }
    }));

  test("passes the end of each side through", () =>
    withProxy(async (port) => {
      for (
        const request of [socksFor("digest"), CONNECT.replace("echo", "digest")]
      ) {
        const conn = await connectTo(port);
        await conn.write(
          Uint8Array.from(request, (char) => char.charCodeAt(0)),
        );
        await readSome(conn, request.startsWith("C") ? ESTABLISHED.length : 12);
        await digestThrough(conn);
      }
    }));

  test("sends a plain request on as the service wants it", () =>
    withProxy(async (port, proxy) => {
      const said = await exchange(
        port,
        "POST http://say/path?q HTTP/1.1\r\nHost: other\r\nContent-Length: 4\r\n" +
          "Proxy-Connection: Keep-Alive\r\n\r\nbody",
      );
      assertEquals(
        said,
        "POST /path?q HTTP/1.1\r\nHost: say\r\nContent-Length: 4\r\n" +
          "Connection: close\r\n\r\nbody",
      );
      assertEquals((await recordOf(proxy, "say")).outcome, "served");
    }));

  test("takes a name with its suffix and without", () =>
    withProxy(async (port) => {
      for (const name of ["echo", "echo.mux", "ECHO.Mux"]) {
        assertEquals(await raw(port, socksFor(name)), socksAnswer(0));
      }
    }, ["--suffix", "mux"]));

  test("tells who asks for what the server does not have", () =>
    withProxy(async (port, proxy) => {
      assertEquals(await raw(port, socksFor("none")), socksAnswer(5));
      for (const request of ["CONNECT none:1", "GET http://none/"]) {
        const answer = await exchange(port, `${request} HTTP/1.1\r\n\r\n`);
        assertMatch(answer, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
        assertMatch(
          answer,
          /\r\n\r\ntcpmux: the upstream refused: Service not available\n$/,
        );
      }
      assertEquals((await recordOf(proxy, "none")).outcome, "failed");
    }));

  test("tells who asks while the server is down", async () => {
    await proxyTo(await freePort(), async (port) => {
      assertEquals(await raw(port, socksFor("echo")), socksAnswer(5));
      const answer = await exchange(port, CONNECT);
      assertMatch(answer, /^HTTP\/1\.1 502 /);
      assertMatch(answer, /\r\n\r\ntcpmux: cannot connect to .*refused/);
    });
  });

  test("tells who asks while the server is silent", async () => {
    const silent = createServer((socket) => {
      socket.on("error", () => {}); // it is let go by a reset
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
    const { port } = silent.address() as { port: number };
    try {
      await proxyTo(port, async (proxy) => {
        const [socks, http] = await Promise.all([
          raw(proxy, socksFor("echo")),
          exchange(proxy, CONNECT),
        ]);
        assertEquals(socks, socksAnswer(4));
        assertMatch(http, /^HTTP\/1\.1 504 Gateway Timeout\r\n/);
      }, ["--connect-timeout=300ms"]);
    } finally {
      silent.close();
    }
  });

  test("has one record a connection, drains, and takes one at a time if told", () =>
    withProxy(async (port, proxy) => {
      const conn = await connectTo(port);
      await conn.write(bytes(CONNECT));
      await readSome(conn, ESTABLISHED.length);
      assertEquals(await exchange(port, CONNECT), "");
      await proxy.logged("connection", ({ outcome }) => outcome === "busy");
      proxy.signal("SIGTERM");
      await proxy.logged("stopping");
      await conn.write(bytes("still here"));
      await conn.closeWrite();
      assertEquals(await readAll(conn), "still here");
      conn.close();
      assertEquals((await proxy.exited).code, 0);
      const records = proxy.log.filter(({ message }) =>
        message === "connection"
      );
      assertEquals(records.length, 2);
    }, ["--max-connections=1"]));

  test("tells who has not asked yet when it stops", () =>
    withProxy(async (port, proxy) => {
      const [http, socks] = [await connectTo(port), await connectTo(port)];
      await http.write(bytes("CONNECT echo"));
      await socks.write(Uint8Array.of(5, 1, 0));
      assertEquals(await readSome(socks, 2), "\x05\0");
      proxy.signal("SIGHUP");
      await proxy.logged("reloaded");
      proxy.signal("SIGTERM");
      assertMatch(
        await readAll(http),
        /^HTTP\/1\.1 503 Service Unavailable\r\n/,
      );
      assertEquals(await readAll(socks), "\x05\x01\0\x01\0\0\0\0\0\0");
      http.close();
      socks.close();
    }));
});

describe("tcpmux proxy reaches nothing but services", () => {
  test("of its own server, whatever is asked for", () =>
    withUpstream(
      () => Promise.resolve(),
      (elsewhere, accepted) =>
        withProxy(async (port) => {
          const v4 = `${GREETING}\x05\x01\0\x01\x7f\0\0\x01` +
            String.fromCharCode(elsewhere >> 8, elsewhere & 255);
          assertEquals(await raw(port, v4), socksAnswer(8));
          const v6 = `${GREETING}\x05\x01\0\x04${"\0".repeat(15)}\x01\0\x50`;
          assertEquals(await raw(port, v6), socksAnswer(8));
          assertEquals(await raw(port, socksFor("127.0.0.1")), socksAnswer(2));
          assertEquals(await raw(port, socksFor("HELP")), socksAnswer(2));
          assertEquals(await raw(port, socksFor("")), socksAnswer(2));
          for (const name of ["localhost", "a/b:1/echo"]) {
            assertEquals(await raw(port, socksFor(name)), socksAnswer(5));
          }
          for (
            const [request, status] of [
              [`CONNECT 127.0.0.1:${elsewhere}`, 403],
              [`CONNECT [::1]:${elsewhere}`, 403],
              [`GET http://127.0.0.1:${elsewhere}/`, 403],
              [`CONNECT localhost:${elsewhere}`, 502],
              [`GET http://localhost:${elsewhere}/`, 502],
              [`GET http://echo@localhost:${elsewhere}/`, 400],
              ["CONNECT help:1", 403],
              ["GET /", 400],
              ["GET https://echo/", 400],
            ] as const
          ) {
            const answer = await exchange(port, `${request} HTTP/1.1\r\n\r\n`);
            assertEquals(answer.slice(0, 12), `HTTP/1.1 ${status}`, request);
            assertMatch(answer, /\r\n\r\ntcpmux: [^\n]+\n$/);
          }
          assertEquals(accepted(), 0);
        }),
    ));

  test("and answers what it does not understand as that is understood", () =>
    withProxy(async (port, proxy) => {
      const bind = `${GREETING}\x05\x02\0\x03\x04echo\0\x07`;
      assertEquals(await raw(port, bind), socksAnswer(7));
      assertEquals(await raw(port, "\x05\x01\x02"), "\x05\xff");
      const type = `${GREETING}\x05\x01\0\x02\0`;
      assertEquals(await raw(port, type), socksAnswer(1));
      assertEquals(await raw(port, "\x04\x01\0\x50\x7f\0\0\x01\0"), "");
      assertEquals(await raw(port, "\x16\x03\x01\x02\0"), "");
      assertEquals(await raw(port, ""), "");
      assertMatch(
        await exchange(
          port,
          `CONNECT echo HTTP/1.1\r\nA: ${"b".repeat(20_000)}`,
        ),
        /^HTTP\/1\.1 431 /,
      );
      assertMatch(await exchange(port, "CONNECT echo"), /^HTTP\/1\.1 400 /);
      const outcomes = ["denied", "denied", ...Array(3).fill("malformed")];
      outcomes.push("aborted", "malformed", "malformed");
      await proxy.logged("connection", ({ conn }) => conn === outcomes.length);
      assertEquals(
        proxy.log.filter(({ message }) => message === "connection")
          .map(({ outcome }) => outcome),
        outcomes,
      );
    }));

  test("and wrong words exit 64", async () => {
    for (
      const [words, says] of [
        [[], /proxy needs an address to listen on and a server/],
        [["0"], /proxy needs an address to listen on and a server/],
        [["x", "host"], /"x" is not an address to listen on/],
        [["0", "host:"], /"host:" is not a server's address/],
        [["0", "host", "x"], /unexpected argument "x"/],
        [["0", "host", "--suffix=a b"], /--suffix is "\.a b"; allowed/],
      ] as [string[], RegExp][]
    ) {
      const { code, out, err } = await tcpmux(["proxy", ...words]);
      assertEquals([code, out], [64, ""]);
      assertMatch(err, says);
    }
  });
});

describe("clients of tcpmux proxy", () => {
  test(
    "curl, by SOCKS, by CONNECT and plainly",
    needs("nginx", "curl"),
    () =>
      withNginx(async ({ port: web, root }) => {
        writeFileSync(join(root, "page"), "a page\n");
        const table = `[services.web]\nconnect = "127.0.0.1:${web}"\n`;
        await withProxy(
          async (port) => {
            for (
              const proxy of [
                ["--socks5-hostname", `127.0.0.1:${port}`],
                ["-x", `socks5h://127.0.0.1:${port}`],
                ["-x", `http://127.0.0.1:${port}`],
                ["-p", "-x", `http://127.0.0.1:${port}`],
              ]
            ) {
              const url = "http://web.mux/page";
              const curl = ["curl", "-sSf", ...proxy];
              const { stdout } = await mustRun([...curl, url, url]);
              assertEquals(String(stdout), "a page\na page\n");
              const none = await run([...curl, "http://none.mux/"]);
              assertMatch(none.stderr, /502|SOCKS|refused/i);
            }
            const local = ["curl", "-sS", "--socks5", `127.0.0.1:${port}`];
            const { code } = await run([...local, "http://127.0.0.1/page"]);
            assertEquals(code, 97); // curl's word for: the proxy refuses
          },
          ["--suffix=.mux"],
          table,
        );
      }),
  );

  for (
    const [name, version] of [["SOCKS5", "5"], ["CONNECT", "connect"]] as const
  ) {
    test(
      `ssh through nc by ${name}`,
      needs("sshd", "ssh", "ssh-keygen", "nc"),
      () =>
        withSshd(async ({ port: sshd, client }) => {
          const table = `[services.ssh]\nconnect = "127.0.0.1:${sshd}"\n`;
          await withProxy(
            async (port) => {
              const nc = `nc -X ${version} -x 127.0.0.1:${port} ssh 22`;
              const { stdout } = await mustRun([
                ...client(nc),
                "echo over ssh",
              ]);
              assertEquals(text(stdout), "over ssh\n");
            },
            [],
            table,
          );
        }),
    );
  }
});
