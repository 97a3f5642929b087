/** Programs that speak TLS with a listener for clients that do not. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { digestAll, writePattern } from "./support/bytes.ts";
import { Authority } from "./support/certificates.ts";
import { ask, exchange } from "./support/client.ts";
import { freePort, withDaemon } from "./support/daemon.ts";
import { withHaproxy } from "./support/haproxy.ts";
import { findProgram, needs, skip } from "./support/needs.ts";
import { NGINX_STREAM, withNginxStream } from "./support/nginx.ts";
import { type RunningServer, withServer } from "./support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-peers-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
if (findProgram("openssl") !== undefined) {
  const authority = await Authority.make(folder);
  await authority.issue("server", { names: "DNS:mux.example" });
}

/** As each of them writes it. */
const VERSIONS = ["1.2", "1.3"] as const;

/** Starts a program that takes plain clients at a port, and runs `use`. */
type Peer = (
  at: { readonly port: number; readonly server: number; version: string },
  use: () => Promise<void>,
) => Promise<void>;

const haproxy: Peer = ({ port, server, version }, use) =>
  withHaproxy(
    `listen in
    bind 127.0.0.1:${port}
    server mux 127.0.0.1:${server} ssl verify required ca-file ${
      file("ca.crt")
    } verifyhost mux.example sni str(mux.example) alpn tcpmux ssl-min-ver TLSv${version} ssl-max-ver TLSv${version}
`,
    port,
    use,
  );

const nginx: Peer = ({ port, server, version }, use) =>
  withNginxStream(
    `server {
    listen 127.0.0.1:${port};
    proxy_pass 127.0.0.1:${server};
    proxy_half_close on;
    proxy_ssl on;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate ${file("ca.crt")};
    proxy_ssl_name mux.example;
    proxy_ssl_server_name on;
    proxy_ssl_protocols TLSv${version};
  }`,
    port,
    use,
  );

const socat: Peer = ({ port, server, version }, use) =>
  withDaemon(
    [
      ...["socat", `TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr,fork`],
      `OPENSSL:127.0.0.1:${server},cafile=${file("ca.crt")},` +
      "commonname=mux.example,snihost=mux.example," +
      `openssl-min-proto-version=TLS${version},` +
      `openssl-max-proto-version=TLS${version}`,
    ],
    port,
    use,
  );

const stunnel: Peer = ({ port, server, version }, use) => {
  const config = file(`stunnel-${version}.conf`);
  writeFileSync(
    config,
    `foreground = yes
pid =
debug = 3
[mux]
client = yes
accept = 127.0.0.1:${port}
connect = 127.0.0.1:${server}
CAfile = ${file("ca.crt")}
verifyChain = yes
checkHost = mux.example
sni = mux.example
sslVersion = TLSv${version}
`,
  );
  return withDaemon(["stunnel", config], port, use);
};

const needsNginx = existsSync(NGINX_STREAM)
  ? needs("openssl", "nginx")
  : skip("no nginx with streams");

const PEERS: [string, Peer, { skip?: string }][] = [
  ["HAProxy", haproxy, needs("openssl", "haproxy")],
  ["nginx", nginx, needsNginx],
  ["socat", socat, needs("openssl", "socat")],
  ["stunnel", stunnel, needs("openssl", "stunnel")],
];

function withTls(use: (server: RunningServer) => Promise<void>): Promise<void> {
  return withServer(
    `[server.tls]
cert = "${file("server.crt")}"
key = "${file("server.key")}"
[services.echo]
builtin = "echo"
[services.hello]
text = "hello over TLS\\n"
`,
    use,
    { args: ["--listen", "tls://127.0.0.1:0"] },
  );
}

for (const [name, peer, options] of PEERS) {
  describe(`${name} in front of a listener with TLS`, options, () => {
    for (const version of VERSIONS) {
      test(`carries all bytes and both ends by TLS ${version}`, () =>
        withTls(async (server) => {
          const port = await freePort();
          const at = { port, server: server.port, version };
          await peer(at, async () => {
            const hello = await exchange(port, "hello\r\n");
            assertEquals(hello, "+Go\r\nhello over TLS\n");
            const { conn, reply } = await ask(port, "echo");
            assertEquals(reply, "+Go");
            const sending = writePattern(conn, 2_000_000)
              .then(async (digest) => {
                await conn.closeWrite();
                return digest;
              });
            const got = await digestAll(conn);
            assertEquals(got, { count: 2_000_000, digest: await sending });
            conn.close();
            const record = await server.record("echo");
            assertEquals(
              [record.code, record.tls, record.sni],
              ["ok", `TLSv${version}`, "mux.example"],
            );
          });
        }));
    }
  });
}
