/** The PROXY protocol with HAProxy, nginx and curl, on both sides. */
import { writeFileSync } from "node:fs";
import { connect as connectTls } from "node:tls";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import { bytes, readAll } from "./support/bytes.ts";
import { Authority } from "./support/certificates.ts";
import { connectTo, exchange } from "./support/client.ts";
import { tcpmux } from "./support/command.ts";
import { freePort, withFolder } from "./support/daemon.ts";
import { withHaproxy } from "./support/haproxy.ts";
import { existsSync } from "node:fs";
import { needs, skip } from "./support/needs.ts";
import { NGINX_STREAM, withNginxStream } from "./support/nginx.ts";
import { mustRun, run } from "./support/run.ts";
import { portOf, withCommand } from "./support/running.ts";
import { type RunningServer, withServer } from "./support/server.ts";
import { until } from "./support/wait.ts";

const needsNginx = () =>
  existsSync(NGINX_STREAM) ? needs("nginx") : skip("no nginx with streams");

/** A program that says who its client is. */
const WHO = `
[services.who]
exec = ["sh", "-c", "echo $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALPORT"]
`;

/** Runs `use` with a server whose clients come by a proxy of this machine. */
function behindProxy(
  table: string,
  use: (server: RunningServer) => Promise<void>,
  trusted = "127.0.0.0/8",
): Promise<void> {
  return withServer(
    `[server]\ntrusted_proxies = ["${trusted}"]\n${table}`,
    use,
    { args: ["--listen", "proxy://127.0.0.1:0"] },
  );
}

/** What the program says of a client, and the client's real port. */
async function asked(port: number): Promise<[string, number]> {
  const conn = await connectTo(port);
  await conn.write(bytes("who\r\n")); // and no end: nginx would close then
  const answer = await readAll(conn);
  const { local } = conn;
  conn.close();
  return [answer, local.transport === "tcp" ? local.port : 0];
}

describe("behind a proxy", () => {
  const haproxy: [string, string][] = [
    ["version 1", "send-proxy"],
    ["version 2", "send-proxy-v2"],
    ["version 2 with a checksum", "send-proxy-v2 proxy-v2-options crc32c"],
  ];
  for (const [name, words] of haproxy) {
    test(
      `HAProxy announces its clients by ${name}`,
      needs("haproxy"),
      () =>
        behindProxy(WHO, async (server) => {
          const port = await freePort();
          const section = `listen in\n    bind 127.0.0.1:${port}\n` +
            `    server mux 127.0.0.1:${server.port} ${words}\n`;
          await withHaproxy(section, port, async () => {
            const [answer, from] = await asked(port);
            assertEquals(answer, `+Go\r\n127.0.0.1 ${from} ${port}\n`);
            const record = await server.record("who");
            assertEquals(
              [record.remote, record.local],
              [`127.0.0.1:${from}`, `127.0.0.1:${port}`],
            );
            assertMatch(String(record.via), /^127\.0\.0\.1:\d+$/);
            assert(record.via !== record.remote);
          });
        }),
    );
  }

  test(
    "HAProxy says what it knows of TLS, for the log alone",
    needs("haproxy", "openssl"),
    () =>
      withServer(
        `[server]\ntrusted_proxies = ["127.0.0.1"]\nlog.level = "debug"\n${WHO}`,
        async (server) => {
          const port = await freePort();
          const section = `listen in
    bind 127.0.0.1:${port} ssl crt {folder}/all.pem ca-file {folder}/all.pem verify optional alpn tcpmux
    server mux 127.0.0.1:${server.port} send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,crc32c,authority
`;
          let pem = "";
          await withHaproxy(section, port, async () => {
            const socket = connectTls({
              host: "127.0.0.1",
              port,
              servername: "mux.example",
              ALPNProtocols: ["tcpmux"],
              rejectUnauthorized: false,
              key: pem,
              cert: pem,
            });
            let answer = "";
            socket.on("data", (chunk) => answer += String(chunk));
            socket.on("error", () => {});
            socket.write("who\r\n");
            await until("it is served", () =>
              answer.endsWith("\n") && answer.includes("127"));
            socket.destroy();
            const line = await server.logged(
              "PROXY header",
              ({ authority }) =>
                authority === "mux.example",
            );
            assertMatch(String(line.tls), /^TLSv1\.[23]$/);
            assertEquals(
              [line.alpn, line.subject, line.verified, line.version],
              ["tcpmux", "mux.example", true, 2],
            );
            assert(line.cipher !== undefined);
          }, async (folder) => {
            pem = await certificate(folder);
          });
        },
        { args: ["--listen", "proxy://127.0.0.1:0"] },
      ),
  );

  test(
    "nginx announces its clients",
    needsNginx(),
    () =>
      behindProxy(WHO, async (server) => {
        const port = await freePort();
        const pass = `server { listen 127.0.0.1:${port}; ` +
          `proxy_pass 127.0.0.1:${server.port}; proxy_protocol on; }`;
        await withNginxStream(pass, port, async () => {
          const [answer, from] = await asked(port);
          assertEquals(answer, `+Go\r\n127.0.0.1 ${from} ${port}\n`);
        });
      }),
  );
});

/** A key and its own certificate, which is no other's. */
async function certificate(folder: string): Promise<string> {
  const [key, cert] = [join(folder, "key"), join(folder, "cert")];
  await mustRun([
    ...["openssl", "req", "-x509", "-nodes", "-days", "2"],
    ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
    ...["-subj", "/CN=mux.example", "-keyout", key, "-out", cert],
  ]);
  const { stdout } = await mustRun(["cat", key, cert]);
  writeFileSync(join(folder, "all.pem"), stdout);
  return String(stdout);
}

describe("an upstream learns the client's address", () => {
  for (const version of [1, 2]) {
    test(
      `by version ${version}: HAProxy`,
      needs("haproxy"),
      async () => {
        const port = await freePort();
        const says = "%[src] %[src_port] %[dst_port] %[fc_pp_authority] " +
          "%[fc_pp_unique_id]";
        const section = `frontend in
    mode http
    bind 127.0.0.1:${port} accept-proxy
    http-request return status 200 content-type text/plain lf-string "${says}"
`;
        const table = `[services.web]\nconnect = "127.0.0.1:${port}"\n` +
          `proxy_protocol = ${version}\n`;
        await withHaproxy(
          section,
          port,
          () =>
            withServer(table, async (server) => {
              const request = "web\r\nGET / HTTP/1.0\r\n\r\n";
              const answer = await exchange(server.port, request);
              const record = await server.record("web");
              const [host, from] = String(record.remote).split(":");
              const more = version === 1 ? " " : `web ${record.unique_id}`;
              const [, said] = answer.split("\r\n\r\n");
              assertEquals(said, `${host} ${from} ${server.port} ${more}`);
            }),
        );
      },
    );

    test(`by version ${version}: nginx`, needsNginx(), async () => {
      const port = await freePort();
      const says = "$proxy_protocol_addr $proxy_protocol_port\\n";
      const server = `server { listen 127.0.0.1:${port} proxy_protocol; ` +
        `return "${says}"; }`;
      const table = `[services.up]\nconnect = "127.0.0.1:${port}"\n` +
        `ready = "first-byte"\nproxy_protocol = ${version}\n`;
      await withNginxStream(
        server,
        port,
        () =>
          withServer(table, async (server, folder) => {
            const answer = await exchange(server.port, "up\r\n");
            const { remote } = await server.record("up");
            const said = String(remote).replace(":", " ");
            assertEquals(answer, `+Go\r\n${said}\n`);
            // The check is a client of its own, which says so.
            const file = join(folder, "services.toml");
            const { code, out, err } = await tcpmux([
              "check",
              "--connect",
              file,
            ]);
            assertEquals([code, err], [0, ""], out);
          }),
      );
    });

    test(`by version ${version}: the next TCPMUX server`, () =>
      behindProxy(WHO, (far) =>
        withServer(
          `[services.who]\ntcpmux = "127.0.0.1:${far.port}/who"\n` +
            `proxy_protocol = ${version}\n`,
          async (server) => {
            const [answer, from] = await asked(server.port);
            assertEquals(answer, `+Go\r\n127.0.0.1 ${from} ${server.port}\n`);
            const [there, here] = [
              await far.record("who"),
              await server.record("who"),
            ];
            assertEquals(there.remote, here.remote);
            assertEquals(there.unique_id, here.unique_id);
            assertEquals(here.unique_id !== undefined, version === 2);
          },
        )));
  }

  test("as HAProxy in front has announced it", needs("haproxy"), async () => {
    const [front, back] = [await freePort(), await freePort()];
    const table = `[services.web]\nconnect = "127.0.0.1:${back}"\n` +
      "proxy_protocol = 2\n";
    await behindProxy(table, async (server) => {
      const sections = `listen front
    bind 127.0.0.1:${front}
    server mux 127.0.0.1:${server.port} send-proxy-v2
frontend back
    mode http
    bind 127.0.0.1:${back} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src_port] %[dst_port]"
`;
      await withHaproxy(sections, front, async () => {
        const conn = await connectTo(front);
        await conn.write(bytes("web\r\nGET / HTTP/1.0\r\n\r\n"));
        const [, said] = (await readAll(conn)).split("\r\n\r\n");
        const { local } = conn;
        assert(local.transport === "tcp");
        assertEquals(said, `${local.port} ${front}`);
        conn.close();
      });
    });
  });
});

describe("TLS behind the header", needs("haproxy", "openssl"), () => {
  test("is the client's, through an HAProxy that only passes it on", () =>
    withFolder(async (folder) => {
      const authority = await Authority.make(folder);
      const { cert, key } = await authority.issue("mux", {
        names: "DNS:mux.example",
      });
      const table = `[server]
trusted_proxies = ["127.0.0.0/8"]
[server.tls]
cert = "${cert}"
key = "${key}"
[services.who]
exec = ["sh", "-c", "echo $TCPREMOTEPORT $SSL_PROTOCOL $SSL_TLS_SNI_SERVERNAME"]
`;
      await withServer(table, async (server) => {
        const front = await freePort();
        const section = `listen front
    bind 127.0.0.1:${front}
    server mux 127.0.0.1:${server.port} send-proxy-v2
`;
        await withHaproxy(section, front, async () => {
          const { stdout } = await run([
            ...["openssl", "s_client", "-quiet", "-CAfile", authority.cert],
            ...["-connect", `127.0.0.1:${front}`, "-verify_return_error"],
            ...["-servername", "mux.example"],
          ], { input: "who\r\n", timeout: 30_000 });
          assertMatch(
            String(stdout),
            /^\+Go\r\n\d+ TLSv1\.3 mux\.example\n$/,
          );
          const line = await server.logged(
            "connection",
            ({ service }) => service === "who",
          );
          assertEquals([line.tls, line.sni], ["TLSv1.3", "mux.example"]);
          assertMatch(String(line.via), /^127\.0\.0\.1:\d+$/);
          assertNotEquals(line.via, line.remote);
        });
      }, { args: ["--listen", "proxy+tls://127.0.0.1:0"] });
    }));
});

describe("a forward", () => {
  /** Runs `use` with the port of a forward to `web` of a server. */
  const withForward = (
    server: number,
    keys: string,
    use: (port: number) => Promise<void>,
  ) =>
    withCommand((folder) => {
      const file = join(folder, "forwards.toml");
      writeFileSync(
        file,
        `[server]\ndefault_server = "127.0.0.1:${server}"\n${keys}`,
      );
      return ["forward", "--json", "--config", file];
    }, async (command) => {
      const { forwards: [web] } = await command.ready<
        { forwards: { listen: string }[] }
      >();
      await use(portOf(web!.listen));
    });

  const WEB = `[services.web]\nexec = ["sh", "-c", """
read line; printf 'HTTP/1.0 200 OK\\\\r\\\\n\\\\r\\\\n%s' "$TCPREMOTEPORT" """]
`;

  test(
    "takes the header that curl sends, and passes the client's address on",
    needs("curl"),
    () =>
      behindProxy(WEB, (server) =>
        withForward(
          server.port,
          `trusted_proxies = ["127.0.0.1"]
[forward.web]
listen = "proxy://0"
proxy_protocol = 2
`,
          async (port) => {
            const { stdout } = await mustRun([
              ...["curl", "-s", "--haproxy-protocol", "--max-time", "30"],
              ...["-w", " %{local_port}", `http://127.0.0.1:${port}/`],
            ]);
            const [there, here] = String(stdout).split(" ");
            assertEquals(there, here);
            // Without the header it is closed.
            const plain = await run([
              ...["curl", "-s", "--max-time", "30"],
              `http://127.0.0.1:${port}/`,
            ]);
            assert(plain.code !== 0);
          },
        )),
  );

  for (const version of [1, 2]) {
    test(`by --proxy-protocol ${version} announces its clients`, () =>
      behindProxy(`log.level = "debug"\n${WHO}`, (server) =>
        withCommand(() => [
          ...["forward", "--json", "--proxy-protocol", String(version)],
          ...["0=who", `127.0.0.1:${server.port}`],
        ], async (command) => {
          const { forwards: [who] } = await command.ready<
            { forwards: { listen: string }[] }
          >();
          const conn = await connectTo(portOf(who!.listen));
          const { local } = conn;
          assert(local.transport === "tcp");
          assertEquals(
            await readAll(conn),
            `127.0.0.1 ${local.port} ${portOf(who!.listen)}\n`,
          );
          conn.close();
          const line = await server.logged("PROXY header");
          const [there, here] = [
            await server.record("who"),
            await command.record("who"),
          ];
          assertEquals(
            [line.version, line.authority, there.remote, there.unique_id],
            [
              version,
              version === 2 ? "who" : undefined,
              here.remote,
              here.unique_id,
            ],
          );
          assertEquals(here.unique_id !== undefined, version === 2);
        })));
  }

  test("obeys the flag before its file", () =>
    behindProxy(WHO, (server) =>
      withCommand((folder) => {
        const file = join(folder, "forwards.toml");
        writeFileSync(
          file,
          `[forward.who]\nlisten = "0"\nserver = "127.0.0.1:${server.port}"\n` +
            "proxy_protocol = 2\n",
        );
        return ["forward", "--config", file, "--proxy-protocol", "1"];
      }, async (command) => {
        const conn = await connectTo(portOf(await command.serving()));
        assertMatch(await readAll(conn), /^127\.0\.0\.1 /);
        conn.close();
        assertEquals((await server.record("who")).unique_id, undefined);
      })));

  test("with proxy:// needs trusted_proxies", () =>
    withFolder(async (folder) => {
      const file = join(folder, "forwards.toml");
      writeFileSync(
        file,
        '[forward.web]\nlisten = "proxy://0"\nserver = "127.0.0.1"\n',
      );
      const { code, err } = await tcpmux(["forward", "--config", file]);
      assertEquals(code, 78);
      assertMatch(
        err,
        /forward\.web\.listen: has proxy:\/\/127\.0\.0\.1:0, which needs trusted_proxies/,
      );
    }));
});

describe("a proxy", () => {
  test(
    "by --proxy-protocol announces its clients, with the name they ask for",
    needs("curl"),
    () =>
      behindProxy(
        `log.level = "debug"\n[services.web]\nexec = ["sh", "-c", """
read line; printf 'HTTP/1.0 200 OK\\r\\n\\r\\n%s' "$TCPREMOTEPORT" """]
`,
        (server) =>
          withCommand(() => [
            ...["proxy", "--json", "--proxy-protocol=2", "--suffix=mux"],
            ...["0", `127.0.0.1:${server.port}`],
          ], async (command) => {
            const { listen } = await command.ready<{ listen: string }>();
            for (const scheme of ["socks5h", "http"]) {
              const { stdout } = await mustRun([
                ...["curl", "-s", "--max-time", "30", "-w", " %{local_port}"],
                ...["--proxy", `${scheme}://${listen}`, "http://web.mux/"],
              ]);
              const [there, here] = String(stdout).split(" ");
              assertEquals(there, here);
            }
            const line = await server.logged("PROXY header");
            assertEquals([line.version, line.authority], [2, "web"]);
            const { unique_id } = await server.record("web");
            assertEquals(unique_id, line.unique_id);
            assert(unique_id !== undefined);
          }),
      ),
  );
});

describe("without a header that counts", () => {
  const FORGED = "PROXY TCP4 198.51.100.7 127.0.0.1 1 1\r\n";

  /** All that comes back; a reset may come before the client has connected. */
  async function said(port: number, request: string): Promise<string> {
    try {
      const conn = await connectTo(port);
      await conn.write(bytes(request)).catch(() => {});
      return await readAll(conn).finally(() => conn.close());
    } catch (error) {
      assertEquals((error as { code?: string }).code, "connection_reset");
      return "";
    }
  }

  async function closed(
    server: RunningServer,
    request: string,
    why: RegExp,
  ): Promise<void> {
    assertEquals(await said(server.port, request), "");
    const line = await server.logged(
      "connection",
      ({ reason }) => why.test(String(reason)),
    );
    assertEquals([line.code, line.outcome], ["proxy_error", "malformed"]);
    assertMatch(String(line.remote), /^127\.0\.0\.1:/);
  }

  test("a stranger's is forged: the connection is closed", () =>
    behindProxy(
      WHO,
      (server) =>
        closed(server, `${FORGED}who\r\n`, /is not in server\.trusted_proxies/),
      "192.0.2.0/24",
    ));

  test("a stalled, a missing and an over-long one are closed", () =>
    behindProxy('handshake_timeout = "300ms"\n' + WHO, async (server) => {
      await closed(server, FORGED.slice(0, 20), /not complete in time/);
      await closed(server, "who\r\n", /begins with other bytes/);
      await closed(server, `PROXY ${"x".repeat(300)}`, /more than 107 bytes/);
      const long = "\r\n\r\n\0\r\nQUIT\n\x21\x11\x7f\x7f";
      await closed(server, long + "x".repeat(100), /more than 4096/);
      // It goes on serving those who are announced.
      const answer = await exchange(server.port, `${FORGED}who\r\n`);
      assertEquals(answer, "+Go\r\n198.51.100.7 1 1\n");
    }));
});
