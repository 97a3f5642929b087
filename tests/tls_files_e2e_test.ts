/** The files of TLS: empty ones, changed ones, and PEM in place of a name. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { copyFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { serve, type ServerInput, TableError } from "../mod.ts";
import { TlsFolder } from "../src/tls/files.ts";
import { Problems } from "../src/table/problem.ts";
import { bytes, readAll } from "./support/bytes.ts";
import { Authority, type Issued } from "./support/certificates.ts";
import { findProgram, needs } from "./support/needs.ts";
import { mustRun } from "./support/run.ts";
import { type RunningServer, withServer } from "./support/server.ts";
import { connectForTls, secured, tlsConnect } from "./support/tls_transport.ts";
import { until } from "./support/wait.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-files-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const text = (name: string) => readFileSync(file(name), "utf8");

async function make() {
  await writeFile(file("empty"), "");
  const ca = await Authority.make(folder);
  await ca.issue("server", { names: "DNS:mux.example" });
  await ca.issue("other", { days: 10 });
  await ca.issue("kelvin", { names: ["DNS:\u212a.example", "DNS:K.example"] });
  return {
    ca,
    alice: await ca.issue("alice", { usage: "clientAuth" }),
    bob: await ca.issue("bob", { usage: "clientAuth" }),
  };
}
const pki = findProgram("openssl") === undefined ? undefined : await make();

const OWN = { cert: file("server.crt"), key: file("server.key") };
const USED = "the files of [server.tls] have changed, and are in use";
const NOT_USED = "the files of [server.tls] have changed and are not used";

/** What is wrong with a table of objects, which no server takes. */
async function faultOf(
  tls: NonNullable<ServerInput["tls"]>,
  up?: { ca?: string; cert?: string; key?: string },
): Promise<string> {
  const error = await assertRejects(
    () =>
      serve({
        server: { listen: "tls://127.0.0.1:0", tls },
        services: {
          hello: { text: "" },
          ...(up === undefined
            ? {}
            : { up: { connect: "127.0.0.1:1", tls: up } }),
        },
      }, { log() {} }),
    TableError,
  );
  return error.message;
}

describe("an empty file", needs("openssl"), () => {
  const empty = file("empty");
  const { cert, key } = OWN;

  for (
    const [what, tls, wants] of [
      [
        "cert",
        { cert: empty, key },
        /server\.tls\.cert: .*begin with a certificate/,
      ],
      ["pair", { cert: empty, key: empty }, /server\.tls\.cert: /],
      ["key", { cert, key: empty }, /server\.tls\.key: .*no private key/],
      ["client_ca", { ...OWN, client_ca: empty }, /client_ca: .*no certif/],
      [
        "crl",
        { ...OWN, client_ca: file("ca.crt"), crl: empty },
        /crl: .*no list of revoked/,
      ],
    ] as const
  ) {
    test(`is no ${what}`, async () => {
      assertMatch(await faultOf(tls), wants);
    });
  }

  test("is nothing that a service shows or demands", async () => {
    assertMatch(await faultOf(OWN, { ca: empty }), /up\.tls\.ca: .*no certif/);
    assertMatch(
      await faultOf(OWN, { cert: empty, key }),
      /up\.tls\.cert: .*begin with a certificate/,
    );
    assertMatch(
      await faultOf(OWN, { cert, key: empty }),
      /up\.tls\.key: .*no private key/,
    );
  });

  test("in the place of a good one changes nothing", () =>
    withChanging(async (server) => {
      await writeFile(file("changing.crt"), "");
      await writeFile(file("changing.key"), "");
      const { reason } = await server.logged(NOT_USED);
      assertMatch(String(reason), /begin with a certificate in PEM/);
      const conn = await tlsConnect(server.port);
      assertEquals(await hello(conn), "+Go\r\nhello");
    }));
});

describe("PEM in place of a name", needs("openssl"), () => {
  test("is in no message", async () => {
    const [cert, key] = [text("server.crt"), text("server.key")];
    const [other, foreign] = [text("other.crt"), text("other.key")];
    const wrongs = [
      await faultOf({ cert, key: foreign }),
      await faultOf({ cert: key, key: cert }),
      await faultOf({ cert, key, client_ca: key }),
      await faultOf({ cert, key, client_ca: text("ca.crt"), crl: key }),
      await faultOf({ cert, key }, { ca: key }),
      await faultOf({ cert, key }, { cert: other, key }),
    ];
    for (const wrong of wrongs) {
      assertMatch(wrong, /the PEM that was given/);
      assert(!/BEGIN/.test(wrong), wrong);
    }
  });

  test("is neither logged nor looked for", async () => {
    await copyFile(await pki!.ca.revoke(), file("given.pem"));
    const lines: string[] = [];
    const server = await serve({
      server: {
        listen: "tls://127.0.0.1:0",
        tls: {
          cert: text("other.crt"),
          key: text("other.key"),
          client_ca: text("ca.crt"),
          crl: file("given.pem"),
        },
      },
      services: { hello: { text: "" } },
    }, {
      log: (_, message, fields) =>
        lines.push(`${message} ${JSON.stringify(fields)}`),
    });
    const line = (message: string) =>
      until(message, () => lines.find((line) => line.startsWith(message)));
    try {
      const ends = await line("a certificate of [server.tls] ends soon");
      assertMatch(String(ends), /"certificate":"the PEM that was given"/);
      await copyFile(await pki!.ca.revoke(), file("given.pem"));
      const used = String(await line(USED));
      assertEquals(
        used,
        `${USED} ${JSON.stringify({ files: file("given.pem") })}`,
      );
      assert(!/BEGIN/.test(lines.join()));
    } finally {
      await server.close();
    }
  });
});

test(
  "a certificate is for the hosts whose names are all ASCII",
  needs("openssl"),
  async () => {
    const problems = new Problems();
    const files = { cert: file("kelvin.crt"), key: file("kelvin.key") };
    const pair = await new TlsFolder(undefined, undefined)
      .pair(files, [], problems);
    problems.throwIfAny();
    assertEquals(pair?.hosts, ["k.example"]);
  },
);

test(
  "protocols whose names have commas are not mixed up",
  needs("openssl"),
  async () => {
    const server = await serve({
      server: {
        listen: "tls://127.0.0.1:0",
        tls: { ...OWN, sni_names: ["mux.example"] },
      },
      services: {
        one: { text: "one", alpn: ["a,b"] },
        two: { text: "two", alpn: ["a", "b"] },
      },
    }, { log() {} });
    try {
      const [at] = server.addresses;
      assert(at?.transport === "tcp");
      for (const [name, alpn] of [["one", "a,b"], ["two", "b"]] as const) {
        const conn = await tlsConnect(at.port, {
          servername: `${name}.mux.example`,
          ALPNProtocols: [alpn],
        });
        assertEquals(await readAll(conn), name);
        conn.close();
      }
    } finally {
      await server.close();
    }
  },
);

/** @param tls more of `[server.tls]` */
const tableOf = (tls = "") => `
[server]
handshake_timeout = "1m"
[server.tls]
cert = "${file("changing.crt")}"
key = "${file("changing.key")}"
${tls}
[services.hello]
text = "hello"
`;

/** A server with a certificate and a key of its own, and a list of revoked ones. */
async function withChanging(
  use: (server: RunningServer, table: string) => Promise<void>,
  tls = "",
): Promise<void> {
  await copyFile(file("server.crt"), file("changing.crt"));
  await copyFile(file("server.key"), file("changing.key"));
  await copyFile(await pki!.ca.revoke(), file("list.pem"));
  await withServer(
    tableOf(tls),
    (server, folder) => use(server, join(folder, "services.toml")),
    { args: ["--listen", "tls://127.0.0.1:0"] },
  );
}

/** What the service `hello` says to a client on that connection. */
async function hello(conn: Awaited<ReturnType<typeof tlsConnect>>) {
  await conn.write(bytes("hello\r\n"));
  const said = await readAll(conn);
  conn.close();
  return said;
}

const shown = ({ cert, key }: Issued) => ({
  cert: readFileSync(cert, "utf8"),
  key: readFileSync(key, "utf8"),
});

describe("a server that asks for certificates", needs("openssl"), () => {
  const { ca, alice, bob } = pki!;
  const CA = `client_ca = "${file("ca.crt")}"`;
  const tls = `${CA}\ncrl = "${file("list.pem")}"`;
  const REFUSED = "-Certificate refused\r\n";
  const REQUIRED = "-Certificate required\r\n";

  test(
    "takes a file that it could not read for want of descriptors",
    needs("prlimit"),
    () =>
      withChanging(async (server) => {
        const allow = (files: number) =>
          mustRun(["prlimit", "--pid", `${server.pid}`, `--nofile=${files}:`]);
        await allow(3);
        await copyFile(await ca.revoke(bob), file("list.pem"));
        await server.logged(NOT_USED);
        await allow(256);
        await server.logged(USED);
        const conn = await tlsConnect(server.port, shown(bob));
        assertEquals(await hello(conn), REFUSED);
      }, tls),
  );

  test("judges whom it has accepted before a reload by what holds now", () =>
    withChanging(async (server) => {
      const early = await connectForTls(server.port);
      const good = await tlsConnect(server.port, shown(alice));
      assertEquals(await hello(good), "+Go\r\nhello"); // the early one is in
      await copyFile(await ca.revoke(alice), file("list.pem"));
      server.signal("SIGHUP");
      await server.logged("reloaded");
      assertEquals(await hello(await secured(early, shown(alice))), REFUSED);
    }, tls));

  test("lets in nobody so whom the old table would not have let in", () =>
    withChanging(async (server, table) => {
      const early = await connectForTls(server.port);
      const none = await tlsConnect(server.port);
      assertEquals(await hello(none), REQUIRED);
      await writeFile(table, tableOf());
      server.signal("SIGHUP");
      await server.logged("reloaded");
      assertEquals(await hello(await secured(early)), REQUIRED);
      assertEquals(await hello(await tlsConnect(server.port)), "+Go\r\nhello");
    }, CA));
});
