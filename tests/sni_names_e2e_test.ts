/** Services that stock clients of TLS name by the host that they mean. */
import { createServer } from "node:http";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { bytes, digestAll, readAll, writePattern } from "./support/bytes.ts";
import { Authority } from "./support/certificates.ts";
import { connectTo } from "./support/client.ts";
import { clientHello } from "./support/client_hello.ts";
import { tcpmux } from "./support/command.ts";
import { blocksOf } from "./support/console_blocks.ts";
import { withFolder } from "./support/daemon.ts";
import { withMosquitto } from "./support/mosquitto.ts";
import { findProgram, needs } from "./support/needs.ts";
import { needsPostgres, withPostgres } from "./support/postgres.ts";
import { follow, freePorts, here } from "./support/reader.ts";
import { mustRun, run } from "./support/run.ts";
import {
  programHandsOver,
  ROOT,
  type RunningServer,
  withServer,
} from "./support/server.ts";
import { tlsConnect } from "./support/tls_transport.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-sni-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const hasOpenssl = findProgram("openssl") !== undefined;
const authority = hasOpenssl ? await Authority.make(folder) : undefined;
await authority?.issue("server", {
  names: "DNS:mux.example,DNS:*.mux.example,DNS:localhost,DNS:wiki.example",
});
const file = (name: string) => join(folder, name);

const SERVICES = `
[services.Hello]
text = "hello by name\\n"
aliases = ["wiki.example", "hi"]
[services.echo]
builtin = "echo"
[services.asks]
text = "agreed\\n"
alpn = ["postgresql", "other"]
[services.env]
exec = ["sh", "-c", "echo $TCPMUX_SERVICE $SSL_TLS_SNI_SERVERNAME"]
[services.socket]
exec = ["cat"]
stdio = "${programHandsOver() ? "socket" : "pipe"}"
[services.denied]
text = "secret"
deny = ["127.0.0.0/8"]
[services.off]
text = "secret"
enabled = false
[services.one]
builtin = "echo"
max_connections = 1
`;

function named(
  use: (server: RunningServer) => Promise<void>,
  { server = 'handshake_timeout = "1500ms"', tls = "", tables = "" } = {},
): Promise<void> {
  const table = `
[server]
${server}
[server.tls]
cert = "${file("server.crt")}"
key = "${file("server.key")}"
sni_names = ["Mux.Example"]
${tls}
${SERVICES}${tables}`;
  return withServer(table, use, { args: ["--listen", "tls://127.0.0.1:0"] });
}

/** What comes to openssl s_client, which sends `input`. */
async function said(
  { port }: RunningServer,
  host: string,
  input = "",
  ...words: string[]
) {
  const { stdout, stderr } = await run([
    ...["openssl", "s_client", "-connect", `127.0.0.1:${port}`, "-quiet"],
    ...["-CAfile", file("ca.crt"), "-verify_return_error"],
    ...["-servername", host, ...words],
  ], { input });
  return { out: String(stdout), err: stderr };
}

function byCode(server: RunningServer, code: string) {
  return server.logged("connection", (line) => line.code === code);
}

describe("a host that names a service", needs("openssl"), () => {
  for (const version of ["1.2", "1.3"]) {
    test(`leads openssl s_client there by TLS ${version}, without a line`, () =>
      named(async (server) => {
        const flag = `-tls${version.replace(".", "_")}`;
        const { out } = await said(server, "HELLO.mux.example", "", flag);
        assertEquals(out, "hello by name\n");
        const record = await server.record("Hello");
        assertEquals(
          [record.named_by, record.sni, record.tls, record.outcome],
          ["sni", "hello.mux.example", `TLSv${version}`, "served"],
        );
      }));
  }

  test("may be an alias, or a whole name", () =>
    named(async (server) => {
      for (const host of ["hi.mux.example", "wiki.example", "hi"]) {
        assertEquals((await said(server, host)).out, "hello by name\n", host);
      }
    }));

  test("is followed by TCPMUX where it is the server's own, or a stranger", () =>
    named(async (server) => {
      for (const host of ["mux.example", "hello.other.example", "a.b"]) {
        const { out } = await said(server, host, "hi\r\n");
        assertEquals(out, "+Go\r\nhello by name\n", host);
      }
      const { named_by } = await server.record("Hello");
      assertEquals(named_by, undefined);
    }));

  test("is no name for a client that asks for TCPMUX by ALPN", () =>
    named(async (server) => {
      const asking = ["-alpn", "tcpmux"];
      const { out } = await said(
        server,
        "echo.mux.example",
        "hi\r\n",
        ...asking,
      );
      assertEquals(out, "+Go\r\nhello by name\n");
    }));

  test("is told to a program, which says nothing before its own words", () =>
    named(async (server) => {
      const { out } = await said(server, "env.mux.example");
      assertEquals(out, "env env.mux.example\n");
    }));

  test("leads to a program that would take the socket", () =>
    named(async (server) => {
      const conn = await tlsConnect(server.port, {
        servername: "socket.mux.example",
        ALPNProtocols: [],
      });
      await conn.write(bytes("through\n"));
      await conn.closeWrite();
      assertEquals(await readAll(conn), "through\n");
      conn.close();
    }));

  test("carries 3 MB both ways, and half-closes", () =>
    named(async (server) => {
      const conn = await tlsConnect(server.port, {
        servername: "echo.mux.example",
        ALPNProtocols: ["h2"],
      });
      const sending = writePattern(conn, 3_000_000).then(async (digest) => {
        await conn.closeWrite();
        return digest;
      });
      const got = await digestAll(conn);
      assertEquals(got, { count: 3_000_000, digest: await sending });
      conn.close();
    }));
});

describe("a host that names no service", needs("openssl"), () => {
  test("is refused by TLS, as one that the client may not use", () =>
    named(async (server) => {
      const hosts = [
        ["x.mux.example", "unknown"],
        ["hello.hello.mux.example", "unknown"],
        ["denied.mux.example", "denied"],
        ["off.mux.example", "denied"],
      ];
      for (const [host, outcome] of hosts) {
        const { out, err } = await said(server, host!, "hi\r\n");
        assertEquals(out, "", host);
        assertMatch(err, /unrecognized name/, host);
        await server.logged(
          "connection",
          (line) => line.outcome === outcome && line.named_by === "sni",
        );
      }
      const record = await byCode(server, "unknown");
      assertMatch(String(record.reason), /"x\.mux\.example"/);
    }));

  test("does not list the services as HELP", () =>
    named(async (server) => {
      const { out, err } = await said(server, "help.mux.example", "HELP\r\n");
      assertEquals(out, "");
      assertMatch(err, /unrecognized name/);
      const record = await byCode(server, "unknown");
      assertMatch(String(record.reason), /"help\.mux\.example"/);
    }));

  test("counts as an unknown name does", () =>
    named(async (server) => {
      await said(server, "x.mux.example");
      await said(server, "hello.mux.example");
      await byCode(server, "penalty");
    }, {
      server: 'penalties = { exempt = [], unknown = "30s", threshold = "20s" }',
    }));

  test("counts on the limits of its service", () =>
    named(async (server) => {
      const first = await tlsConnect(server.port, {
        servername: "one.mux.example",
        ALPNProtocols: [],
      });
      await first.write(bytes("x"));
      assertEquals((await first.read())!.length, 1);
      assertEquals((await said(server, "one.mux.example", "hi")).out, "");
      assertEquals((await byCode(server, "limit_service")).service, "one");
      first.close();
    }));
});

describe(
  "the protocol of a client that names a service",
  needs("openssl"),
  () => {
    const protocol = async (server: RunningServer, ...words: string[]) => {
      const at = ["-connect", `127.0.0.1:${server.port}`];
      const { stdout, stderr } = await run([
        ...["openssl", "s_client", ...at, ...words],
      ]);
      return /^ALPN protocol: (\S+)$/m.exec(String(stdout))?.[1] ?? stderr;
    };

    test("may be any, and none is agreed on", () =>
      named(async (server) => {
        const to = ["-servername", "hello.mux.example", "-alpn", "h2,http/1.1"];
        assertMatch(await protocol(server, ...to), /^(?!.*alert)/);
        const record = await server.record("Hello");
        assertEquals(record.outcome, "served");
      }, { tls: "require_alpn = true" }));

    test("is one of the service's, or none", () =>
      named(async (server) => {
        const to = ["-servername", "asks.mux.example"];
        assertEquals(
          await protocol(server, ...to, "-alpn", "h2,postgresql"),
          "postgresql",
        );
        assertEquals(
          (await said(server, "asks.mux.example")).out,
          "agreed\n",
        );
        const { out } = await said(
          server,
          "asks.mux.example",
          "",
          "-alpn",
          "h2",
        );
        assertEquals(out, "");
        await byCode(server, "tls_error");
      }));
  },
);

describe("stock clients", needs("openssl"), () => {
  test("curl reaches a web server", needs("curl"), async () => {
    const web = createServer((request, response) => {
      response.end(`${request.httpVersion} ${request.headers.host}\n`);
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => web.once("listening", resolve));
    const { port: to } = web.address() as { port: number };
    const tables = `[services.web]\nconnect = "127.0.0.1:${to}"\n`;
    await named(async ({ port }) => {
      const host = `web.mux.example:${port}`;
      for (
        const way of [
          ["--resolve", `${host}:127.0.0.1`],
          ["--connect-to", `${host}:127.0.0.1:${port}`],
        ]
      ) {
        const { stdout } = await mustRun([
          ...["curl", "-sS", "--cacert", file("ca.crt"), "--max-time", "30"],
          ...[...way, `https://${host}/`],
        ]);
        assertEquals(String(stdout), `1.1 ${host}\n`);
      }
      const { stderr } = await run([
        ...["curl", "-sS", "--cacert", file("ca.crt"), "--max-time", "30"],
        ...["--resolve", `x.mux.example:${port}:127.0.0.1`],
        `https://x.mux.example:${port}/`,
      ]);
      assertMatch(stderr, /unrecognized name/);
    }, { tables });
    web.close();
  });

  test(
    "mosquitto_pub and mosquitto_sub reach a broker",
    needs("mosquitto", "mosquitto_sub", "mosquitto_pub"),
    () =>
      withMosquitto((broker) => {
        const tables = `[services.mqtt]\nconnect = "127.0.0.1:${broker}"\n` +
          'aliases = ["localhost"]\n';
        return named(async (server) => {
          const at = ["-h", "localhost", "-p", String(server.port)];
          const to = [...at, "--cafile", file("ca.crt"), "-t", "a/b"];
          const got = mustRun(["mosquitto_sub", ...to, "-C", "1", "-W", "60"]);
          // What is kept for who comes later needs no waiting for the other.
          await mustRun(["mosquitto_pub", ...to, "-r", "-m", "by MQTT"]);
          assertEquals(String((await got).stdout), "by MQTT\n");
          const record = await server.record("mqtt");
          assertEquals(
            [record.named_by, record.sni],
            ["sni", "localhost"],
          );
        }, { tables });
      }),
  );

  test(
    "PostgreSQL is reached by direct TLS, whose protocol is agreed on",
    needsPostgres(),
    () =>
      withPostgres((postgres) => {
        const tables = `[services.db]\nconnect = "127.0.0.1:${postgres.port}"
alpn = ["postgresql"]
aliases = ["localhost"]
`;
        return named(async (server) => {
          const { stdout } = await mustRun(["psql", "--version"]);
          if (Number(/ (\d+)[.\w]/.exec(String(stdout))![1]) >= 17) {
            const { stdout } = await mustRun([
              ...["psql", "-XAt", "-c", "select 6 * 7", "-d"],
              "sslnegotiation=direct sslmode=verify-full host=localhost " +
              `port=${server.port} sslrootcert=${file("ca.crt")} ` +
              "user=tester dbname=postgres",
            ]);
            return assertEquals(String(stdout), "42\n");
          }
          // An older one cannot; this is what a newer one sends first.
          const conn = await tlsConnect(server.port, {
            servername: "db.mux.example",
            ALPNProtocols: ["postgresql"],
          });
          const words = "user\0tester\0database\0postgres\0\0";
          await conn.write(
            bytes(
              `\0\0\0${
                String.fromCharCode(8 + words.length)
              }\0\x03\0\0${words}`,
            ),
          );
          const answer = (await conn.read())!;
          assertEquals(answer[0], "R".charCodeAt(0));
          conn.close();
        }, { tables });
      }),
  );
});

describe("a first message that is hostile", needs("openssl"), () => {
  const rows: [string, Parameters<typeof clientHello>[0]][] = [
    ["an empty name", { names: [""] }],
    ["an empty list of names", { names: [] }],
    ["a name with NUL", { names: ["hello\0.mux.example"] }],
    ["a name of 16,000 bytes", { names: [`${"h".repeat(16_000)}`] }],
    ["a name in UTF-8", { names: ["hellö.mux.example"] }],
    ["two names", { names: ["hello.mux.example", "echo.mux.example"] }],
    ["a thousand protocols", {
      names: ["hello.mux.example"],
      protocols: new Array(1000).fill("x"),
    }],
  ];
  for (const [what, options] of rows) {
    test(`${what}: reaches nothing`, () =>
      named(async (server) => {
        const conn = await connectTo(server.port);
        await conn.write(clientHello(options));
        await conn.closeWrite();
        await readAll(conn).catch(() => "");
        conn.close();
        const record = await server.logged("connection");
        assertEquals(record.service, "", JSON.stringify(record));
        const { out } = await said(server, "hello.mux.example");
        assertEquals(out, "hello by name\n");
      }));
  }

  test("byte by byte is read like a whole one", () =>
    named(async (server) => {
      const conn = await connectTo(server.port);
      for (const byte of clientHello({ names: ["x.mux.example"] })) {
        await conn.write(Uint8Array.of(byte));
      }
      assertEquals(await readAll(conn), "\x15\x03\x03\x00\x02\x02\x70");
      conn.close();
      await byCode(server, "unknown");
    }, { server: 'handshake_timeout = "30s"' }));

  test("that stalls misses its deadline", () =>
    named(async (server) => {
      const conn = await connectTo(server.port);
      const hello = clientHello({ names: ["hello.mux.example"] });
      await conn.write(hello.subarray(0, -1));
      await byCode(server, "timeout");
      await readAll(conn).catch(() => "");
      conn.close();
    }));
});

describe("a table with names of hosts", needs("openssl"), () => {
  test("is obeyed anew after a reload", () =>
    named(async (server) => {
      const conn = await tlsConnect(server.port, {
        servername: "echo.mux.example",
        ALPNProtocols: [],
      });
      await conn.write(bytes("x"));
      await conn.read();
      server.signal("SIGHUP");
      await server.logged("reloaded");
      assertEquals(
        (await said(server, "hello.mux.example")).out,
        "hello by name\n",
      );
      await conn.write(bytes("y"));
      assertEquals((await conn.read())!.length, 1);
      conn.close();
    }));

  test("is explained, and what has no effect is advised of", () =>
    withFolder(async (at) => {
      const table = join(at, "t.toml");
      const tls = `[server.tls]\ncert = "${file("server.crt")}"\n` +
        `key = "${file("server.key")}"\n`;
      const services = `[services.ssh]\nconnect = "127.0.0.1:22"\n` +
        `alpn = ["x"]\naliases = ["ssh.example", "mux.example"]\n` +
        `[services."a,b"]\ntext = ""\n`;
      await writeFile(
        table,
        `[server]\nlisten = "tls-or-plain://127.0.0.1:0"\n${tls}` +
          `sni_names = ["mux.example"]\n[server.first_bytes]\n"SSH-" = "ssh"\n${services}`,
      );
      const explain = (name: string) =>
        tcpmux(["explain", "-c", table, "--from", "127.0.0.1", name]);
      const ssh = (await explain("ssh")).out;
      assertMatch(
        ssh,
        /^hosts +ssh\.mux\.example, ssh\.example, ssh\.example\.mux\.example, mux\.example\.mux\.example \(.*t\.toml:6\)$/m,
      );
      assertMatch(ssh, /^first bytes +"SSH-" \(.*t\.toml:8\)$/m);
      assertMatch(
        (await explain("a,b")).out,
        /^hosts +none: no name of it is that of a host/m,
      );
      await writeFile(table, `[server]\nlisten = "127.0.0.1:0"\n${services}`);
      const { out, err, code } = await tcpmux(["check", table]);
      assertEquals(code, 0, out);
      assertMatch(err, /services\.ssh\.alpn: has no effect without sni_names/);
      assertEquals((await explain("ssh")).out.includes("hosts"), false);
    }));
});

test(
  "docs/trust.md: clients that know no TCPMUX",
  needs("openssl", "curl", "nc"),
  () =>
    withFolder(async (cwd) => {
      const guide = readFileSync(join(ROOT, "docs", "trust.md"), "utf8");
      const [section] = /^## Clients that know no TCPMUX[^]*/m.exec(guide)!;
      const blocks = blocksOf(here(section, await freePorts("10001")));
      const table = blocks.find(({ language }) => language === "toml")!;
      await writeFile(join(cwd, "services.toml"), table.text);
      await follow(blocks, { cwd, mux: "mux.example" });
    }),
);
