/** One port for TCPMUX, TLS, and clients whose first bytes name a service. */
import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { bytes, digestAll, readAll, writePattern } from "./support/bytes.ts";
import { Authority } from "./support/certificates.ts";
import { connectTo, exchange } from "./support/client.ts";
import { clientHello } from "./support/client_hello.ts";
import { tcpmux } from "./support/command.ts";
import { findProgram, needs } from "./support/needs.ts";
import { mustRun, run } from "./support/run.ts";
import {
  programHandsOver,
  type RunningServer,
  withServer,
} from "./support/server.ts";
import { withSshd } from "./support/sshd.ts";
import { tlsConnect } from "./support/tls_transport.ts";
import { until } from "./support/wait.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-first-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const hasOpenssl = findProgram("openssl") !== undefined;
const authority = hasOpenssl ? await Authority.make(folder) : undefined;
await authority?.issue("server", {
  names: "DNS:mux.example,DNS:*.mux.example",
});
const file = (name: string) => join(folder, name);

const SERVICES = `
[server.first_bytes]
"SSH-" = "ssh"
"ECHO:" = "echo"
"ECHO:2" = "Hello"
"\\u0000\\u00ff" = "echo"
"SECRET" = "denied"
"GET " = "program"
[services.echo]
builtin = "echo"
[services.Hello]
text = "hello\\n"
[services.denied]
text = "secret"
deny = ["127.0.0.0/8"]
[services.program]
exec = ["sh", "-c", "read line; echo $TCPMUX_SERVICE $line"]
`;
const SOCKET = `
[services.socket]
exec = ["cat"]
stdio = "${programHandsOver() ? "socket" : "pipe"}"
`;
const SSH = `[services.ssh]\nbuiltin = "discard"\n`;

function atPort(
  use: (server: RunningServer) => Promise<void>,
  {
    server = 'handshake_timeout = "1500ms"',
    ssh = SSH,
    listen = "127.0.0.1:0",
  } = {},
): Promise<void> {
  const tls = hasOpenssl
    ? `[server.tls]\ncert = "${file("server.crt")}"\n` +
      `key = "${file("server.key")}"\nsni_names = ["mux.example"]\n`
    : "";
  return withServer(
    `[server]\n${server}\n${tls}${SERVICES}${SOCKET}${ssh}`,
    use,
    { args: ["--listen", listen] },
  );
}

const BOTH = "tls-or-plain://127.0.0.1:0";

/** The first record with that code. */
function byCode(server: RunningServer, code: string) {
  return server.logged("connection", (line) => line.code === code);
}

describe("first bytes that name a service", () => {
  test(
    "lead ssh to an sshd, beside TCPMUX",
    needs("ssh", "sshd"),
    () =>
      withSshd((sshd) =>
        atPort(async (server) => {
          const { stdout } = await mustRun([
            ...["ssh", ...sshd.options(), "-o", "HostKeyAlias=tcpmux.test"],
            ...["-p", String(server.port), "127.0.0.1", "echo over ssh"],
          ]);
          assertEquals(String(stdout), "over ssh\n");
          const record = await server.record("ssh");
          assertEquals(
            [record.named_by, record.outcome, record.kind],
            ["first_bytes", "served", "connect"],
          );
          assertEquals(
            await exchange(server.port, "hello\r\n"),
            "+Go\r\nhello\n",
          );
          const { named_by } = await server.record("Hello");
          assertEquals(named_by, undefined);
        }, {
          server: 'handshake_timeout = "30s"',
          ssh: `[services.ssh]\nconnect = "127.0.0.1:${sshd.port}"\n`,
        })
      ),
  );

  test("are the service's too, with all that follows", () =>
    atPort(async (server) => {
      const conn = await connectTo(server.port);
      await conn.write(bytes("ECHO:1"));
      const sending = writePattern(conn, 3_000_000).then(async (digest) => {
        await conn.closeWrite();
        return digest;
      });
      let left = 6;
      const got = await digestAll({
        read: async () => {
          const chunk = await conn.read();
          const cut = Math.min(left, chunk?.length ?? 0);
          left -= cut;
          return chunk === null ? null : chunk.subarray(cut);
        },
      });
      assertEquals(got, { count: 3_000_000, digest: await sending });
      conn.close();
      const { bytes_in, bytes_out } = await server.record("echo");
      assertEquals([bytes_in, bytes_out], [3_000_006, 3_000_006]);
    }));

  test("are told from a service line byte by byte", () =>
    atPort(async (server) => {
      for (
        const [sent, got] of [
          ["ECHO:1\n", "ECHO:1\n"],
          ["ECHO:2\n", "hello\n"],
          ["ECHO\r\nECHO:", "+Go\r\nECHO:"],
          ["echo\r\n", "+Go\r\n"],
          ["GET /\n", "program GET /\n"],
          ["SS\r\n", "-Service not available\r\n"],
        ]
      ) {
        const conn = await connectTo(server.port);
        for (const byte of bytes(sent!)) {
          await conn.write(Uint8Array.of(byte));
        }
        await conn.closeWrite();
        assertEquals(await readAll(conn), got, sent);
        conn.close();
      }
    }, { server: 'handshake_timeout = "30s"' }));

  test("may be of any bytes", () =>
    atPort(async (server) => {
      const conn = await connectTo(server.port);
      await conn.write(Uint8Array.of(0, 255, 10));
      await conn.closeWrite();
      assertEquals([...bytes(await readAll(conn))].slice(0, 1), [0]);
      conn.close();
      assertEquals((await server.record("echo")).bytes_in, 3);
    }));

  test("are waited for no longer than a service line", () =>
    atPort(async (server) => {
      const conn = await connectTo(server.port);
      await conn.write(bytes("SSH"));
      assertEquals(
        await readAll(conn),
        "-Timed out waiting for a service name\r\n",
      );
      conn.close();
      await byCode(server, "timeout");
      assertEquals(
        await exchange(server.port, "SSH"),
        "-Service name cut short\r\n",
      );
      await byCode(server, "eof");
    }));

  test("are refused without a word, and count as a name does", () =>
    atPort(async (server) => {
      assertEquals(await exchange(server.port, "SECRET or not"), "");
      const record = await byCode(server, "denied");
      assertEquals(
        [record.named_by, record.service],
        ["first_bytes", ""],
      );
      assertMatch(String(record.reason), /is in deny of denied/);
      await exchange(server.port, "echo\r\n");
      await byCode(server, "penalty");
    }, {
      server: 'penalties = { exempt = [], unknown = "30s", threshold = "20s" }',
    }));

  test("come behind the header of a proxy", () =>
    atPort(async (server) => {
      const header = "PROXY TCP4 198.51.100.7 127.0.0.1 1 1\r\n";
      assertEquals(await exchange(server.port, `${header}ECHO:1`), "ECHO:1");
      const { remote, named_by } = await server.record("echo");
      assertEquals([remote, named_by], ["198.51.100.7:1", "first_bytes"]);
    }, {
      server: 'trusted_proxies = ["127.0.0.1"]',
      listen: "proxy://127.0.0.1:0",
    }));
});

describe("a port for clients with TLS and without", needs("openssl"), () => {
  const secure = async (
    { port }: RunningServer,
    host: string,
    input: string,
  ) => {
    const { stdout } = await mustRun([
      ...["openssl", "s_client", "-connect", `127.0.0.1:${port}`, "-quiet"],
      ...["-CAfile", file("ca.crt"), "-verify_return_error"],
      ...["-servername", host],
    ], { input });
    return String(stdout);
  };

  test("serves both, and what is named by SNI and by first bytes", () =>
    atPort(async (server) => {
      const { port } = server;
      assertEquals(
        await secure(server, "mux.example", "hello\r\n"),
        "+Go\r\nhello\n",
      );
      assertEquals(await secure(server, "hello.mux.example", ""), "hello\n");
      assertEquals(await exchange(port, "hello\r\n"), "+Go\r\nhello\n");
      assertEquals(await exchange(port, "GET /\n"), "program GET /\n");
      // Inside TLS the first bytes are those of the request as well.
      assertEquals(
        await secure(server, "mux.example", "GET /\n"),
        "program GET /\n",
      );
      const records = await until("all are recorded", () => {
        const all = server.log.filter((line) => line.message === "connection");
        return all.length === 5 ? all : undefined;
      });
      assertEquals(records.map((line) => [line.tls, line.named_by]), [
        ["TLSv1.3", undefined],
        ["TLSv1.3", "sni"],
        [undefined, undefined],
        [undefined, "first_bytes"],
        ["TLSv1.3", "first_bytes"],
      ]);
    }, { listen: BOTH }));

  test("carries 3 MB by TLS, and half-closes", () =>
    atPort(async (server) => {
      const conn = await tlsConnect(server.port, {
        servername: "echo.mux.example",
        ALPNProtocols: [],
      });
      const sending = writePattern(conn, 3_000_000).then(async (digest) => {
        await conn.closeWrite();
        return digest;
      });
      const got = await digestAll(conn);
      assertEquals(got, { count: 3_000_000, digest: await sending });
      conn.close();
    }, { listen: BOTH }));

  test("takes both behind the header of a proxy, in one piece with it", () =>
    atPort(async ({ port }) => {
      const header = "PROXY TCP4 198.51.100.7 127.0.0.1 1 1\r\n";
      const answer = await exchange(port, `${header}hello\r\n`);
      assertEquals(answer, "+Go\r\nhello\n");
      const conn = await connectTo(port);
      await conn.write(Buffer.concat([
        bytes(header),
        clientHello({ names: ["x.mux.example"] }),
      ]));
      assertEquals(await readAll(conn), "\x15\x03\x03\x00\x02\x02\x70");
      conn.close();
    }, {
      server: 'trusted_proxies = ["127.0.0.1"]',
      listen: "proxy+tls-or-plain://127.0.0.1:0",
    }));

  test("gives a program pipes in place of the socket", () =>
    atPort(async (server) => {
      assertEquals(
        await exchange(server.port, "socket\r\nthrough"),
        "+Go\r\nthrough",
      );
      assertEquals((await server.record("socket")).outcome, "served");
    }, { listen: BOTH }));

  test("answers a client that says nothing as one without TLS", () =>
    atPort(async (server) => {
      const conn = await connectTo(server.port);
      assertEquals(
        await readAll(conn),
        "-Timed out waiting for a service name\r\n",
      );
      conn.close();
      const { reason } = await byCode(server, "timeout");
      assertMatch(String(reason), /service line/);
    }, { listen: BOTH }));

  test("says nothing in plain to a client that has begun TLS", () =>
    atPort(async (server) => {
      const conn = await connectTo(server.port);
      await conn.write(Uint8Array.of(22));
      assertEquals(await readAll(conn).catch(() => ""), "");
      conn.close();
      const { reason } = await byCode(server, "timeout");
      assertMatch(String(reason), /TLS/);
    }, { listen: BOTH }));

  test("refuses what begins as TLS, and is none", () =>
    atPort(async (server) => {
      assertEquals(
        await exchange(server.port, "\x16\x03\x01\x00\x00"),
        "",
      );
      const { reason } = await byCode(server, "tls_error");
      assertMatch(String(reason), /begins as TLS does/);
    }, { listen: BOTH }));

  test("takes a service line byte by byte", () =>
    atPort(async (server) => {
      const conn = await connectTo(server.port);
      for (const byte of bytes("echo\r\nx")) {
        await conn.write(Uint8Array.of(byte));
      }
      await conn.closeWrite();
      assertEquals(await readAll(conn), "+Go\r\nx");
      conn.close();
    }, { listen: BOTH, server: 'handshake_timeout = "30s"' }));

  test("lets neither wait when the server stops", () =>
    atPort(async (server) => {
      const silent = await connectTo(server.port);
      const begun = await connectTo(server.port);
      await begun.write(Uint8Array.of(22));
      await exchange(server.port, "hello\r\n"); // so that both are accepted
      server.signal("SIGTERM");
      assertEquals(await readAll(silent), "-Server is shutting down\r\n");
      assertEquals(await readAll(begun).catch(() => ""), "");
      assertEquals((await server.exited).code, 0);
      silent.close();
      begun.close();
    }, { listen: BOTH, server: 'handshake_timeout = "30s"' }));

  test("needs [server.tls]", async () => {
    const { code, err } = await tcpmux([
      ...["serve", "--listen", "tls-or-plain://127.0.0.1:0"],
    ]);
    assertEquals(code, 78);
    assertMatch(
      err,
      /tls-or-plain:\/\/ needs \[server\.tls\] with cert and key/,
    );
  });
});

test(
  "TLS at a port without it is still refused as such",
  needs("openssl"),
  () =>
    atPort(async (server) => {
      await run([
        ...["openssl", "s_client", "-connect", `127.0.0.1:${server.port}`],
      ]);
      const record = await byCode(server, "bad_byte");
      assert(/begins TLS/.test(String(record.reason)));
    }),
);
