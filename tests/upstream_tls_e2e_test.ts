/** TLS with upstreams: stunnel, HAProxy, nginx, openssl, and tcpmux itself. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { copyFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  bytes,
  digestAll,
  readAll,
  readLine,
  readSome,
  writePattern,
} from "./support/bytes.ts";
import {
  Authority,
  type IssueOptions,
  selfSigned,
} from "./support/certificates.ts";
import { ask, connectTo } from "./support/client.ts";
import { tcpmux } from "./support/command.ts";
import { freePort, withDaemon } from "./support/daemon.ts";
import { withHaproxy } from "./support/haproxy.ts";
import { findProgram, needs, skip } from "./support/needs.ts";
import { NGINX_STREAM, withNginxStream } from "./support/nginx.ts";
import { withSServer } from "./support/s_server.ts";
import { type RunningServer, withServer } from "./support/server.ts";
import { withUpstream } from "./support/upstream.ts";
import { until } from "./support/wait.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-upstream-tls-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

const ISSUED: Readonly<Record<string, IssueOptions>> = {
  good: { names: "DNS:mux.example,IP:127.0.0.1" },
  expired: { names: "IP:127.0.0.1", days: -1 },
  early: { names: "IP:127.0.0.1", isEarly: true },
  elsewhere: { names: "DNS:mux.example" },
  alice: {},
};
if (findProgram("openssl") !== undefined) {
  const authority = await Authority.make(folder);
  for (const [name, options] of Object.entries(ISSUED)) {
    await authority.issue(name, options);
    await writeFile(
      file(`${name}.pem`),
      ["crt", "key"].map((end) => readFileSync(file(`${name}.${end}`), "utf8")),
    );
  }
  const other = await Authority.make(folder, "other");
  await other.issue("foreign", { names: "IP:127.0.0.1" });
  await selfSigned(folder, "self", "IP:127.0.0.1");
}

const CA = `ca = "${file("ca.crt")}"`;
const ALICE = `cert = "${file("alice.crt")}", key = "${file("alice.key")}"`;

/** A service that connects to that port with these keys of `tls`. */
const service = (port: number, tls: string, more = "") => `
[services.up]
connect = "127.0.0.1:${port}"
tls = { ${tls} }
${more}`;

/** A server of ours that sends back what it gets, and ends when its peer has. */
const withEcho = (use: (port: number) => Promise<void>) =>
  withUpstream(async (conn) => {
    for (let bytes; (bytes = await conn.read()) !== null;) {
      await conn.write(bytes);
    }
    await conn.closeWrite();
  }, use);

/** A server of ours that says all that it has got up to a line `hello`. */
const withTeller = (use: (port: number) => Promise<void>) =>
  withUpstream(async (conn) => {
    let got = "";
    for (let bytes; (bytes = await conn.read()) !== null;) {
      got += String.fromCharCode(...bytes);
      if (got.endsWith("hello\n")) break;
    }
    await conn.write(bytes(`got ${got}`));
    await conn.closeWrite();
  }, use);

/** Half-closes after 1 MB, and has it all back. */
async function echoes(port: number, name = "up"): Promise<void> {
  const conn = await connectTo(port);
  await conn.write(bytes(`${name}\r\n`));
  assertEquals(await readLine(conn), "+Go\r\n");
  const sending = writePattern(conn, 1_000_000).then(async (digest) => {
    await conn.closeWrite();
    return digest;
  });
  const got = await digestAll(conn);
  assertEquals(got, { count: 1_000_000, digest: await sending });
  conn.close();
}

/** Why the server could not open the service for a client. */
async function reasonOf(server: RunningServer): Promise<string> {
  const conn = await connectTo(server.port);
  await conn.write(bytes("up\r\n"));
  assertEquals(await readLine(conn), "-Service temporarily unavailable\r\n");
  conn.close();
  const record = await server.record("up");
  assertEquals([record.code, record.outcome], ["backend_down", "failed"]);
  return String(record.reason);
}

/** Runs `use` with stunnel, which ends TLS and connects to `port`. */
async function withStunnel(
  port: number,
  more: string,
  use: (port: number) => Promise<void>,
): Promise<void> {
  const accept = await freePort();
  const config = file(`stunnel-${accept}.conf`);
  await writeFile(
    config,
    `foreground = yes
pid =
[tls]
accept = 127.0.0.1:${accept}
connect = 127.0.0.1:${port}
cert = ${file("good.crt")}
key = ${file("good.key")}
${more}
`,
  );
  await withDaemon(["stunnel", config], accept, () => use(accept));
}

describe("a service with tls leads to", needs("openssl"), () => {
  for (const version of ["TLSv1.2", "TLSv1.3"]) {
    test(
      `stunnel (${version}), and every byte arrives`,
      needs("stunnel"),
      () =>
        withEcho((plain) =>
          withStunnel(
            plain,
            `sslVersionMin = ${version}\nsslVersionMax = ${version}`,
            (port) =>
              withServer(service(port, CA), async (server) => {
                await echoes(server.port);
                const { upstream, outcome } = await server.record("up");
                assertEquals(
                  [upstream, outcome],
                  [`127.0.0.1:${port}`, "served"],
                );
              }),
          )
        ),
    );
  }

  test(
    "stunnel that demands a certificate",
    needs("stunnel"),
    () =>
      withEcho((plain) =>
        withStunnel(
          plain,
          `verifyChain = yes\nCAfile = ${file("ca.crt")}`,
          (port) =>
            withServer(
              service(port, `${CA}, ${ALICE}`),
              (server) => echoes(server.port),
            ),
        )
      ),
  );

  test(
    "HAProxy, which learns the client by the header before TLS",
    needs("haproxy"),
    async () => {
      const port = await freePort();
      await withTeller((plain) =>
        withHaproxy(
          `listen tls
    bind 127.0.0.1:${port} accept-proxy ssl crt ${file("good.pem")}
    server teller 127.0.0.1:${plain} send-proxy
`,
          port,
          () =>
            withServer(
              service(port, CA, "proxy_protocol = 2"),
              async (server) => {
                const conn = await connectTo(server.port);
                await conn.write(bytes("up\r\nhello\n"));
                const { local } = conn;
                const from = local.transport === "tcp" ? local.port : 0;
                const answer = await readAll(conn);
                assertMatch(
                  answer,
                  new RegExp(
                    `^\\+Go\r\ngot PROXY TCP4 127\\.0\\.0\\.1 \\S+ ${from} `,
                  ),
                );
                assertMatch(answer, /hello\n$/);
                conn.close();
              },
            ),
        )
      );
    },
  );

  const nginx = existsSync(NGINX_STREAM)
    ? needs("nginx")
    : skip("no nginx with streams");
  test("nginx", nginx, async () => {
    const port = await freePort();
    await withEcho((plain) =>
      withNginxStream(
        `server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${file("good.crt")};
    ssl_certificate_key ${file("good.key")};
    proxy_pass 127.0.0.1:${plain};
    proxy_half_close on;
  }`,
        port,
        () =>
          withServer(service(port, CA), async (server) => {
            const conn = await connectTo(server.port);
            await conn.write(bytes("up\r\nhello"));
            assertEquals(await readSome(conn, 10), "+Go\r\nhello");
            conn.close();
          }),
      )
    );
  });

  test("openssl s_server", () =>
    withSServer(
      ["-cert", file("good.crt"), "-key", file("good.key")],
      (port) =>
        withServer(
          service(port, `${CA}, server_name = "mux.example"`),
          async (server) => {
            const conn = await connectTo(server.port);
            await conn.write(bytes("up\r\nolleh\n"));
            assertEquals(await readSome(conn, 11), "+Go\r\nhello\n");
            conn.close();
          },
        ),
    ));

  test("a service of another tcpmux, by tls and by a URL", () =>
    withServer(
      `[server.tls]
cert = "${file("good.crt")}"
key = "${file("good.key")}"
[services.echo]
builtin = "echo"
`,
      (other) =>
        withServer(
          `
[services.up]
tcpmux = "127.0.0.1:${other.port}/echo"
tls = { ${CA} }
[services.url]
tcpmux = "tcpmuxs://127.0.0.1:${other.port}/%65cho"
tls = { ${CA} }
[services.missing]
tcpmux = "tcpmuxs://127.0.0.1:${other.port}/none"
tls = { ${CA} }
`,
          async (server) => {
            await echoes(server.port);
            await echoes(server.port, "url");
            assertEquals((await other.record("echo")).tls, "TLSv1.3");
            const { reply } = await ask(server.port, "missing");
            assertEquals(reply, "-Service not available");
          },
        ),
      { args: ["--listen", "tls://127.0.0.1:0"] },
    ));

  test("a Unix socket", () =>
    withServer(
      `[server.tls]
cert = "${file("good.crt")}"
key = "${file("good.key")}"
[services.echo]
builtin = "echo"
`,
      (_, its) =>
        withServer(
          `[services.up]
tcpmux = "unix:${its}/s/echo"
tls = { ${CA}, server_name = "mux.example" }
`,
          (server) => echoes(server.port),
        ),
      { args: ["--listen", "tls://unix:./s"] },
    ));
});

describe(
  "a service with tls is not available, and the log says why,",
  needs("openssl"),
  () => {
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      ["expired", CA, /certificate of 127\.0\.0\.1:\d+ has expired on \d{4}-/],
      ["early", CA, /is not valid before/],
      ["elsewhere", CA, /is not for 127\.0\.0\.1: it is for mux\.example/],
      ["foreign", CA, /is signed by none in \S+/],
      ["self", CA, /is signed by itself/],
      [
        "good",
        "verify = true",
        /is not signed by an authority that is trusted/,
      ],
      [
        "good",
        `pin = "sha256//${"A".repeat(43)}="`,
        /another key than the one/,
      ],
    ];
    for (const [name, tls, message] of wrong) {
      test(`where the certificate is ${name} (${message.source})`, () =>
        withSServer(
          ["-cert", file(`${name}.crt`), "-key", file(`${name}.key`)],
          (port) =>
            withServer(service(port, tls), async (server) => {
              assertMatch(await reasonOf(server), message);
            }),
        ));
    }

    test("where the server demands a certificate (TLS 1.2)", () =>
      withSServer([
        ...["-cert", file("good.crt"), "-key", file("good.key"), "-tls1_2"],
        ...["-CAfile", file("ca.crt"), "-Verify", "1", "-verify_return_error"],
      ], (port) =>
        withServer(service(port, CA), async (server) => {
          assertMatch(await reasonOf(server), /requires a certificate/);
        })));

    test("where it demands one by TLS 1.3 and the service has to speak first", () =>
      withSServer([
        ...["-cert", file("good.crt"), "-key", file("good.key"), "-tls1_3"],
        ...["-CAfile", file("ca.crt"), "-Verify", "1", "-verify_return_error"],
      ], (port) =>
        withServer(
          service(port, CA, 'ready = "first-byte"'),
          async (server) => {
            assertMatch(
              await reasonOf(server),
              /refused our certificate: it requires one/,
            );
          },
        )));

    test(
      "where it does not let our certificate in",
      needs("gnutls-serv"),
      async () => {
        const port = await freePort();
        const own = `cert = "${file("foreign.crt")}", key = "${
          file("foreign.key")
        }"`;
        await withDaemon(
          [
            ...["gnutls-serv", "--quiet", "--echo", "-p", String(port)],
            ...["--require-client-cert", "--verify-client-cert"],
            ...["--x509cafile", file("ca.crt")],
            ...["--x509certfile", file("good.crt")],
            ...["--x509keyfile", file("good.key")],
          ],
          port,
          () =>
            withServer(
              service(port, `${CA}, ${own}`, 'ready = "first-byte"'),
              async (server) => {
                const why = /refused our certificate: it does not let it in/;
                assertMatch(await reasonOf(server), why);
              },
            ),
        );
      },
    );

    test("where the server speaks no TLS", () =>
      withUpstream(async (conn) => {
        await conn.read();
        await conn.write(bytes("-what?\r\n"));
      }, (port) =>
        withServer(service(port, CA), async (server) => {
          assertMatch(await reasonOf(server), /does not speak TLS/);
        })));

    test("where the handshake stalls", async () => {
      const sockets = new Set<{ destroy(): void }>();
      const stalling = createServer((socket) => {
        sockets.add(socket.on("error", () => {}).resume());
      });
      await new Promise<void>((done) => stalling.listen(0, "127.0.0.1", done));
      const { port } = stalling.address() as { port: number };
      try {
        await withServer(
          service(port, CA, 'connect_timeout = "400ms"'),
          async (server) => {
            assertMatch(await reasonOf(server), /^no TLS with .* in 400 ms/);
          },
        );
        await withServer(
          '[server]\ndrain_timeout = "100ms"\n' +
            service(port, CA, "connect_timeout = 0"),
          async (server) => {
            const conn = await connectTo(server.port);
            await conn.write(bytes("up\r\n"));
            await until("the upstream has it", () => sockets.size === 2);
            server.signal("SIGTERM");
            server.signal("SIGTERM");
            assertEquals((await server.exited).code, 0);
            conn.close();
          },
        );
      } finally {
        for (const socket of sockets) socket.destroy();
        stalling.close();
      }
    });
  },
);

test(
  "changed files of tls are in use within seconds",
  needs("openssl"),
  () =>
    withSServer(
      ["-cert", file("good.crt"), "-key", file("good.key")],
      async (port) => {
        const ca = file("changing.crt");
        await copyFile(file("other.crt"), ca);
        await withServer(service(port, `ca = "${ca}"`), async (server) => {
          assertMatch(await reasonOf(server), /signed by none in \S+/);
          await writeFile(ca, "none");
          await until("the change is seen", async () => {
            await reasonOf(server);
            return server.log.some(({ message }) =>
              message === "the files of tls have changed and are not used"
            );
          });
          await copyFile(file("ca.crt"), ca);
          await until("the new one is in use", async () => {
            const conn = await connectTo(server.port);
            await conn.write(bytes("up\r\n"));
            const reply = await readLine(conn);
            conn.close();
            return reply === "+Go\r\n";
          });
        });
      },
    ),
);

describe("a table with tls of services", needs("openssl"), () => {
  const check = async (table: string, ...words: string[]) => {
    await writeFile(file("table.toml"), table);
    return await tcpmux([
      ...["check", "--no-strict-modes", ...words],
      file("table.toml"),
    ]);
  };
  const wrong: readonly (readonly [string, RegExp])[] = [
    [
      'tls = { ca = "none.crt" }',
      /:3: services\.up\.tls\.ca: .*none\.crt: no such/,
    ],
    [
      'tls = { ca = "ca.key" }',
      /:3: services\.up\.tls\.ca: ca\.key holds no cert/,
    ],
    [
      'tls = { cert = "alice.crt" }',
      /:3: services\.up\.tls\.key: is missing; all/,
    ],
    [
      'tls = { cert = "alice.crt", key = "good.key" }',
      /:3: services\.up\.tls\.key: good\.key is not the key of the certificate/,
    ],
    [
      'tls = { pin = "abc" }',
      /:3: services\.up\.tls\.pin: is "abc"; allowed: sha256/,
    ],
    [
      'tls = { caa = "x" }',
      /:3: services\.up\.tls\.caa: unknown key \(did you mean ca/,
    ],
    [
      'tls = "yes"',
      /:3: services\.up\.tls: is "yes"; allowed: true, false, or a/,
    ],
    [
      'tls = { server_name = "a b" }',
      /server_name: is "a b"; allowed: .*a host/,
    ],
  ];
  for (const [line, message] of wrong) {
    test(`cannot say ${line}`, async () => {
      const { code, err } = await check(
        `[services.up]\nconnect = "127.0.0.1:1"\n${line}\n`,
      );
      assertMatch(err, message);
      assertEquals(code, 78);
    });
  }

  test("needs a name for a Unix socket, and does not contradict a URL", async () => {
    const { err } = await check(
      '[services.up]\nconnect = "unix:/s"\ntls = true\n',
    );
    assertMatch(err, /:3: services\.up\.tls: needs server_name/);
    const url = await check(
      '[services.up]\ntcpmux = "tcpmuxs://h/x"\ntls = false\n',
    );
    assertMatch(url.err, /:3: services\.up\.tls: is false; allowed: true or/);
  });

  test("is asked by check --connect", () =>
    withSServer(
      ["-cert", file("expired.crt"), "-key", file("expired.key")],
      async (port) => {
        const table = `server.listen = "127.0.0.1:0"\n${service(port, CA)}`;
        const { code, err } = await check(table, "--connect");
        assertMatch(err, /services\.up\.connect: .* has expired on/);
        assertEquals(code, 69);
        const loose = `server.listen = "127.0.0.1:0"\n${
          service(port, "verify = false")
        }`;
        const good = await check(loose, "--connect");
        assertEquals([good.code, good.err], [0, ""]);
      },
    ));

  test("is dumped as it was written", async () => {
    const { code, out } = await check(
      `[services.up]\nconnect = "127.0.0.1:1"\n[services.up.tls]\nca = "${
        file("ca.crt")
      }"\n`,
      "--dump",
    );
    assertEquals(code, 0);
    assert(out.includes(`[services.up.tls]\nca = "${file("ca.crt")}"\n`), out);
  });
});
