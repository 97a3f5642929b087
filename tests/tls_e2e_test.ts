/** Listeners with TLS, and the clients that people have. */
import { mkdtempSync, rmSync } from "node:fs";
import { copyFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { bytes, digestAll, readAll, writePattern } from "./support/bytes.ts";
import { Authority } from "./support/certificates.ts";
import { ask, connectTo, exchange } from "./support/client.ts";
import { runCommand, tcpmux } from "./support/command.ts";
import { firstMessage } from "./support/first_message.ts";
import { findProgram, needs } from "./support/needs.ts";
import { run } from "./support/run.ts";
import {
  programHandsOver,
  programResets,
  type RunningServer,
  withServer,
} from "./support/server.ts";
import { tlsConnect } from "./support/tls_transport.ts";
import { until } from "./support/wait.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-tls-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const hasOpenssl = findProgram("openssl") !== undefined;
const authority = hasOpenssl ? await Authority.make(folder) : undefined;
await authority?.issue("server", { names: "DNS:mux.example" });
await authority?.issue("other", { names: "DNS:*.other.example" });
const file = (name: string) => join(folder, name);

const SERVICES = `
[services.hello]
text = "hello over TLS\\n"
[services.echo]
builtin = "echo"
[services.env]
exec = ["sh", "-c", "env | grep ^SSL_ | sort"]
`;

/** A server that speaks TLS at its first port, and no TLS at its second. */
function withTls(
  use: (server: RunningServer, plain: number) => Promise<void>,
  { tls = "", server = 'handshake_timeout = "1500ms"', tables = "" } = {},
): Promise<void> {
  const table = `
[server]
${server}
[server.tls]
cert = "${file("server.crt")}"
key = "${file("server.key")}"
${tls}
[[server.tls.certificates]]
cert = "${file("other.crt")}"
key = "${file("other.key")}"
${SERVICES}${tables}`;
  return withServer(table, async (server) => {
    const plain = Number(/ \S+:(\d+)$/.exec(await server.serving())![1]);
    await use(server, plain);
  }, { args: ["--listen", "tls://127.0.0.1:0", "--listen", "127.0.0.1:0"] });
}

function sClient(port: number, ...words: string[]): string[] {
  const at = `127.0.0.1:${port}`;
  return ["openssl", "s_client", "-connect", at, "-quiet", ...words];
}

/** The record of the first connection with that code. */
function recordOf(server: RunningServer, code: string) {
  return server.logged("connection", (line) => line.code === code);
}

describe("a listener with TLS", needs("openssl"), () => {
  for (const version of ["1.2", "1.3"]) {
    test(`serves openssl s_client by TLS ${version}`, () =>
      withTls(async (server) => {
        const { stdout } = await run([
          ...sClient(server.port, `-tls${version.replace(".", "_")}`),
          ...["-servername", "mux.example", "-alpn", "tcpmux"],
          ...["-CAfile", file("ca.crt"), "-verify_return_error"],
          ...["-verify_hostname", "mux.example"],
        ], { input: "hello\r\n" });
        assertEquals(String(stdout), "+Go\r\nhello over TLS\n");
        const record = await server.record("hello");
        assertEquals(
          [record.tls, record.sni, record.outcome],
          [`TLSv${version}`, "mux.example", "served"],
        );
      }));
  }

  test(
    "serves gnutls-cli",
    needs("gnutls-cli"),
    () =>
      withTls(async (server) => {
        const { stdout, stderr } = await run([
          ...["gnutls-cli", "--logfile=/dev/null", "-p", String(server.port)],
          ...[`--x509cafile=${file("ca.crt")}`, "--alpn=tcpmux"],
          ...["--verify-hostname=mux.example", "--sni-hostname=mux.example"],
          "127.0.0.1",
        ], { input: "hello\r\n" });
        assertMatch(String(stdout), /\+Go\r\nhello over TLS\n/, stderr);
      }),
  );

  test(
    "serves socat, and a half-close leaves the answer whole",
    needs("socat"),
    () =>
      withTls(async (server) => {
        const { stdout, stderr } = await run([
          ...["socat", "-t", "10", "-"],
          `OPENSSL:127.0.0.1:${server.port},cafile=${file("ca.crt")},` +
          "commonname=mux.example",
        ], { input: "echo\r\none\ntwo\n" });
        assertEquals(String(stdout), "+Go\r\none\ntwo\n", stderr);
        assertEquals((await server.record("echo")).outcome, "served");
      }),
  );

  test(
    "refuses curl's ALPN, and speaks TLS with it otherwise",
    needs("curl"),
    () =>
      withTls(async (server) => {
        const curl = (...words: string[]) =>
          run([
            ...["curl", "-sS", "--http0.9", "--cacert", file("ca.crt")],
            ...["--resolve", `mux.example:${server.port}:127.0.0.1`],
            ...words,
            `https://mux.example:${server.port}/`,
          ]);
        assert((await curl()).code !== 0);
        const { reason } = await recordOf(server, "tls_error");
        assertEquals(
          reason,
          "the client (SNI: mux.example) asks for the protocols h2, http/1.1 " +
            "(ALPN), and not for tcpmux",
        );
        const { stdout } = await curl("--no-alpn");
        assertMatch(String(stdout), /^-/);
      }),
  );

  test(
    "serves stunnel as the client",
    needs("stunnel"),
    () =>
      withTls(async (server) => {
        const config = `
foreground = yes
pid =
debug = 3
client = yes
connect = 127.0.0.1:${server.port}
CAfile = ${file("ca.crt")}
verifyChain = yes
checkHost = mux.example
sni = mux.example
`;
        await writeFile(file("stunnel.conf"), config);
        const { stdout, stderr } = await run(
          ["stunnel", file("stunnel.conf")],
          { input: "hello\r\n" },
        );
        assertMatch(String(stdout), /\+Go\r\nhello over TLS\n/, stderr);
      }),
  );

  test("half-closes both ways, with every byte of 3 MB", () =>
    withTls(async (server) => {
      const conn = await tlsConnect(server.port);
      await conn.write(bytes("echo\r\n"));
      const sending = writePattern(conn, 3_000_000).then(async (digest) => {
        await conn.closeWrite();
        return digest;
      });
      // What comes along with the reply is the beginning of the echo.
      let early: Uint8Array | undefined = (await conn.read())!;
      assertEquals(String.fromCharCode(...early.subarray(0, 5)), "+Go\r\n");
      early = early.subarray(5);
      const got = await digestAll({
        read: () => {
          const bytes = early;
          early = undefined;
          return bytes ? Promise.resolve(bytes) : conn.read();
        },
      });
      assertEquals(got, { count: 3_000_000, digest: await sending });
      conn.close();
    }));

  test("gives each name its certificate, and the first to all others", () =>
    withTls(async (server) => {
      const subject = async (...words: string[]) => {
        const { stdout } = await run([
          ...["openssl", "s_client", "-connect", `127.0.0.1:${server.port}`],
          ...words,
        ]);
        return /^subject=CN = (\w+)$/m.exec(String(stdout))?.[1];
      };
      assertEquals(await subject("-servername", "a.other.example"), "other");
      assertEquals(await subject("-servername", "A.Other.Example"), "other");
      assertEquals(await subject("-servername", "a.b.other.example"), "server");
      assertEquals(await subject("-servername", "other.example"), "server");
      assertEquals(await subject("-noservername"), "server");
    }));

  test("tells a program what TLS has agreed on", () =>
    withTls(async (server) => {
      const conn = await tlsConnect(server.port, { servername: "mux.example" });
      await conn.write(bytes("env\r\n"));
      assertMatch(
        await readAll(conn),
        /^\+Go\r\nSSL_CIPHER=\S+\nSSL_PROTOCOL=TLSv1.3\nSSL_TLS_SNI_SERVERNAME=mux.example\n$/,
      );
    }));

  test("says to plain text that TLS is required", () =>
    withTls(async (server) => {
      assertEquals(
        await exchange(server.port, "hello\r\n"),
        "-TLS required here\r\n",
      );
      const record = await recordOf(server, "tls_error");
      assertMatch(String(record.reason), /does not speak TLS/);
      assertEquals(record.outcome, "malformed");
    }));

  test("names TLS at a port without it", () =>
    withTls(async (server, plain) => {
      await run(sClient(plain), { input: "" });
      const record = await recordOf(server, "bad_byte");
      assertMatch(String(record.reason), /begins TLS.*tls:\/\//);
    }));

  test("ends a handshake that stalls, before and in its first message", () =>
    withTls(async (server) => {
      for (const sent of ["", "\x16\x03\x01\x02\x00\x01"]) {
        const conn = await connectTo(server.port);
        if (sent !== "") await conn.write(bytes(sent));
        assertEquals(await readAll(conn).catch(() => ""), "");
      }
      await until(
        "both are recorded",
        () =>
          server.log.filter(({ code, reason }) =>
            code === "timeout" && /TLS handshake/.test(String(reason))
          ).length === 2,
      );
    }));

  test("ends one that stalls behind its first message", () =>
    withTls(async (server) => {
      const hello = await firstMessage();
      const conn = await connectTo(server.port);
      await conn.write(hello);
      const record = await recordOf(server, "timeout");
      assertMatch(String(record.reason), /TLS handshake/);
      await readAll(conn).catch(() => "");
      conn.close();
    }));

  test("records a client that breaks off its handshake", () =>
    withTls(async (server) => {
      const { code } = await run([
        ...sClient(server.port, "-CAfile", file("other.crt")),
        "-verify_return_error",
      ], { input: "hello\r\n" });
      assert(code !== 0);
      const record = await recordOf(server, "tls_error");
      assertEquals(record.service, "");
      assert(String(record.reason).length > 5);
      assertEquals((await ask(server.port, "x")).reply, "-TLS required here");
    }));

  test("notices a client that leaves in the midst of its handshake", () =>
    withTls(async (server) => {
      const hello = await firstMessage();
      const ended = () =>
        server.log.filter(({ code }) => code === "tls_error").length;
      for (let count = 1; count <= 20; count++) {
        const conn = await connectTo(server.port);
        await conn.write(hello);
        if (count % 2 === 0) conn.close();
        else await conn.closeWrite();
        await until("it has ended", () => ended() === count);
        conn.close();
      }
    }, { server: 'handshake_timeout = "1h"' }));

  test("refuses versions below min_version, and requires ALPN", () =>
    withTls(async (server) => {
      const old = await run([...sClient(server.port, "-tls1_2")], {
        input: "hello\r\n",
      });
      assert(old.code !== 0);
      const conn = await tlsConnect(server.port, { ALPNProtocols: [] });
      await conn.write(bytes("hello\r\n"));
      assertEquals(await readAll(conn), "-ALPN tcpmux required\r\n");
      conn.close();
      const good = await tlsConnect(server.port);
      await good.write(bytes("hello\r\n"));
      assertMatch(await readAll(good), /^\+Go/);
      good.close();
    }, { tls: 'min_version = "1.3"\nrequire_alpn = true\n' }));

  test("refuses those who have named no service when it stops", () =>
    withTls(async (server) => {
      const silent = await connectTo(server.port);
      const half = await connectTo(server.port);
      await half.write(await firstMessage());
      const secure = await tlsConnect(server.port);
      const served = await tlsConnect(server.port);
      await served.write(bytes("echo\r\n"));
      await served.read();
      server.signal("SIGTERM");
      assertEquals(await readAll(secure), "-Server is shutting down\r\n");
      assertEquals(await readAll(silent).catch(() => ""), "");
      await readAll(half).catch(() => "");
      await served.write(bytes("still served"));
      await served.closeWrite();
      assertEquals(await readAll(served), "still served");
      assertEquals((await server.exited).code, 0);
      const codes = server.log.filter(({ message }) => message === "connection")
        .map(({ code }) => code);
      assertEquals(codes.toSorted(), [
        "draining",
        "draining",
        "draining",
        "ok",
      ]);
      for (const conn of [silent, half, secure, served]) conn.close();
    }, { server: 'handshake_timeout = "30s"' }));

  test("gives a program pipes in place of the socket", () =>
    withTls(async (server) => {
      const conn = await tlsConnect(server.port);
      await conn.write(bytes("socket\r\nto the program\n"));
      await conn.closeWrite();
      assertEquals(await readAll(conn), "+Go\r\nto the program\n");
      conn.close();
    }, {
      tables: programHandsOver()
        ? '[services.socket]\nexec = ["cat"]\nstdio = "socket"\n'
        : '[services.socket]\nexec = ["cat"]\n',
    }));

  test("serves at a Unix socket", needs("socat"), () =>
    withServer(
      `[server.tls]\ncert = "${file("server.crt")}"\n` +
        `key = "${file("server.key")}"\n${SERVICES}`,
      async (server, folder) => {
        // openssl s_client connects by a name that the relay has.
        const { stdout, stderr } = await run([
          ...["openssl", "s_client", "-unix", join(folder, "s"), "-quiet"],
        ], { input: "hello\r\n" });
        assertEquals(String(stdout), "+Go\r\nhello over TLS\n", stderr);
        assertEquals((await server.record("hello")).tls, "TLSv1.3");
      },
      { args: ["--listen", "tls://unix:./s"] },
    ));

  const resumes = programResets() ? {} : { skip: "Deno resumes sessions" };
  test("never resumes a session", resumes, () =>
    withTls(async (server) => {
      for (const version of ["-tls1_2", "-tls1_3"]) {
        const first = sClient(server.port, version).slice(0, -2);
        await run([...first, version, "-sess_out", file("session")], {
          input: "hello\r\n",
        });
        const { stdout } = await run([
          ...["openssl", "s_client", "-connect", `127.0.0.1:${server.port}`],
          ...[version, "-sess_in", file("session")],
        ], { input: "hello\r\n" });
        assertMatch(String(stdout), /^New, /m);
      }
    }));

  test("takes changed files within seconds, and loses no connection", () =>
    withTls(async (server) => {
      const conn = await tlsConnect(server.port);
      await conn.write(bytes("echo\r\n"));
      const issued = await authority!.issue("renewed", {
        names: "DNS:mux.example",
      });
      await copyFile(issued.cert, file("server.crt.new"));
      const [cert, key] = [file("server.crt"), file("server.key")];
      await copyFile(cert, file("server.crt.old"));
      await copyFile(key, file("server.key.old"));
      try {
        await rename(file("server.crt.new"), cert);
        const line = await server.logged(
          "the files of [server.tls] have changed and are not used",
        );
        assertMatch(String(line.files), /^\S*server\.crt$/);
        assertMatch(String(line.reason), /server\.key.* is not the key/);
        const still = await run([
          ...["openssl", "s_client", "-connect", `127.0.0.1:${server.port}`],
        ]);
        assertMatch(String(still.stdout), /subject=CN = server/);
        await copyFile(issued.key, key);
        await server.logged(
          "the files of [server.tls] have changed, and are in use",
        );
        const { stdout } = await run([
          ...["openssl", "s_client", "-connect", `127.0.0.1:${server.port}`],
        ]);
        assertMatch(String(stdout), /subject=CN = renewed/);
      } finally {
        await copyFile(file("server.crt.old"), cert);
        await copyFile(file("server.key.old"), key);
      }
      await conn.write(bytes("still here"));
      await conn.closeWrite();
      assertMatch(await readAll(conn), /still here$/);
    }));
});

describe("a table with TLS", needs("openssl"), () => {
  const check = async (table: string) => {
    await writeFile(file("table.toml"), table);
    const words = ["check", "--no-strict-modes", file("table.toml")];
    const { code, err } = await tcpmux(words);
    const serving = await runCommand([
      ...(await import("./support/server.ts")).programUnderTest(),
      ...["serve", "--no-strict-modes", "--config", file("table.toml")],
    ], { timeout: 20_000 });
    assertEquals([code, serving.code], [78, 78], serving.err);
    return err;
  };
  const listen = '[server]\nlisten = "tls://127.0.0.1:0"\n';
  const service = '[services.a]\nbuiltin = "echo"\n';

  test("needs [server.tls]", async () => {
    const said = await check(listen + service);
    assertMatch(said, /:2: server\.listen.*tls:\/\/ needs \[server\.tls\]/);
  });

  test("names a file that is missing, with its key and line", async () => {
    const said = await check(
      `${listen}[server.tls]\ncert = "none.crt"\nkey = "server.key"\n${service}`,
    );
    assertMatch(said, /table\.toml:4: server\.tls\.cert: .*none\.crt: no such/);
  });

  test("names a key that does not fit, and what is no key", async () => {
    const said = await check(
      `${listen}[server.tls]\ncert = "server.crt"\nkey = "other.key"\n` +
        "[[server.tls.certificates]]\n" +
        `cert = "other.crt"\nkey = "ca.cnf"\n${service}`,
    );
    assertMatch(said, /:5: server\.tls\.key: other\.key is not the key/);
    assertMatch(
      said,
      /:8: .*certificates\[0\]\.key: ca\.cnf is no private key/,
    );
  });

  test("has one address either with TLS or without", async () => {
    const said = await check(
      '[server]\nlisten = ["127.0.0.1:9999", "tls://127.0.0.1:9999"]\n' +
        `[server.tls]\ncert = "server.crt"\nkey = "server.key"\n${service}`,
    );
    assertMatch(said, /:2: .*both with tls:\/\/ and without/);
  });

  test("that a reload breaks changes nothing", () =>
    withServer(
      `[server.tls]\ncert = "${file("server.crt")}"\n` +
        `key = "${file("server.key")}"\n${SERVICES}`,
      async (server, folder) => {
        await writeFile(
          join(folder, "services.toml"),
          `[server.tls]\ncert = "none"\nkey = "none"\n${SERVICES}`,
        );
        server.signal("SIGHUP");
        const line = await server.logged(
          "not reloaded, the old table stays in force",
        );
        assertMatch(String(line.reason), /server\.tls\.cert/);
        const conn = await tlsConnect(server.port);
        await conn.write(bytes("hello\r\n"));
        assertMatch(await readAll(conn), /^\+Go/);
        conn.close();
      },
      { args: ["--listen", "tls://127.0.0.1:0"] },
    ));

  test("takes files from CREDENTIALS_DIRECTORY", () =>
    withServer(
      `[server.tls]\ncert = "server.crt"\nkey = "server.key"\n${SERVICES}`,
      async (server) => {
        const conn = await tlsConnect(server.port);
        await conn.write(bytes("hello\r\n"));
        assertMatch(await readAll(conn), /^\+Go/);
        conn.close();
      },
      {
        args: ["--listen", "tls://127.0.0.1:0"],
        env: { CREDENTIALS_DIRECTORY: folder },
      },
    ));
});
