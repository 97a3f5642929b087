/** The library's clients by TLS: whom they take for their server. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  type ClientTls,
  connect,
  type ErrorCode,
  forward,
  list,
  parseEndpoint,
  probe,
  serve,
  TcpmuxError,
} from "../mod.ts";
import { secureAsClient } from "../src/tls/client.ts";
import { demandsOf } from "../src/transport/net/tls/demands.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { digestAll, readAll, writePattern } from "./support/bytes.ts";
import {
  Authority,
  type IssueOptions,
  selfSigned,
} from "./support/certificates.ts";
import { findProgram, needs } from "./support/needs.ts";
import { REVERSED, withSServer } from "./support/s_server.ts";
import { until } from "./support/wait.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-tls-client-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const text = (name: string) => readFileSync(join(folder, name), "utf8");

const ISSUED: Readonly<Record<string, IssueOptions>> = {
  good: { names: "DNS:mux.example,DNS:*.wild.example,IP:127.0.0.1" },
  named: { names: "DNS:mux.example" },
  expired: { names: "DNS:mux.example", days: -1 },
  early: { names: "DNS:mux.example", isEarly: true },
  nameless: {},
  evil: { names: "DNS:a\x1b[31m.example" },
  clients: { names: "DNS:mux.example", usage: "clientAuth" },
  alice: {},
};
if (findProgram("openssl") !== undefined) {
  const authority = await Authority.make(folder);
  for (const [name, options] of Object.entries(ISSUED)) {
    await authority.issue(name, options);
  }
  const other = await Authority.make(folder, "other");
  await other.issue("foreign", { names: "DNS:mux.example" });
  await selfSigned(folder, "self");
  await selfSigned(folder, "alone", "IP:127.0.0.1");
}

const files = (name: string) => ({
  cert: join(folder, `${name}.crt`),
  key: join(folder, `${name}.key`),
});

/** Runs `use` with the port of a server that has that certificate. */
async function withServer(
  certificate: string,
  use: (port: number) => Promise<void>,
): Promise<void> {
  const server = await serve({
    server: { listen: "tls://127.0.0.1:0", tls: files(certificate) },
    services: { echo: { builtin: "echo" }, hello: { text: "hello\n" } },
  }, { log() {} });
  const [at] = server.addresses;
  try {
    await use(at?.transport === "tcp" ? at.port : 0);
  } finally {
    await server.close(0);
  }
}

/** Connects, and says whether the echo works. */
async function echoes(
  port: number,
  tls: boolean | ClientTls,
  host = "127.0.0.1",
): Promise<boolean> {
  const conn = await connect(`${host}:${port}`, "echo", { tls });
  await conn.write(new TextEncoder().encode("hello"));
  await conn.closeWrite();
  let heard = "";
  for await (const bytes of conn) heard += new TextDecoder().decode(bytes);
  conn.close();
  return heard === "hello";
}

async function rejects(
  work: () => Promise<unknown>,
  code: ErrorCode,
  message: RegExp,
): Promise<void> {
  const error = await assertRejects(work, TcpmuxError);
  assertMatch(error.message, message);
  assertEquals(error.code, code);
}

describe("a client by TLS", needs("openssl"), () => {
  test("takes a certificate of its ca for the name or the address", () =>
    withServer("good", async (port) => {
      const ca = text("ca.crt");
      assert(await echoes(port, { ca }));
      assert(await echoes(port, { ca, serverName: "mux.example" }));
      assert(await echoes(port, { ca, serverName: "MUX.example." }));
      assert(await echoes(port, { ca, serverName: "a.wild.example" }));
    }));

  test("knows TLS and the certificate", () =>
    withServer("good", async (port) => {
      const url = `tcpmuxs://127.0.0.1:${port}/%65cho`;
      const conn = await connect(url, { tls: { ca: text("ca.crt") } });
      const { tls } = conn;
      assertEquals([tls?.protocol, tls?.alpn], ["TLSv1.3", "tcpmux"]);
      assertEquals(tls?.server?.subject, "CN=good");
      assertMatch(tls!.server!.pin, /^sha256\/\/.{43}=$/);
      const days = (tls!.server!.expires.getTime() - Date.now()) / 86_400_000;
      assert(days > 29 && days < 31, `${days} days`);
      conn.close();
    }));

  test("half-closes, with every byte of 3 MB", () =>
    withServer("good", async (port) => {
      const tls = { ca: text("ca.crt") };
      const conn = await connect(`tcpmuxs://127.0.0.1:${port}/echo`, { tls });
      const sending = writePattern(conn, 3_000_000).then(async (digest) => {
        await conn.closeWrite();
        return digest;
      });
      const got = await digestAll(conn);
      assertEquals(got, { count: 3_000_000, digest: await sending });
      conn.close();
    }));

  test("lists services", () =>
    withServer("good", async (port) => {
      const tls = { ca: text("ca.crt") };
      const names = await list(`tcpmuxs://127.0.0.1:${port}`, { tls });
      assertEquals(names, ["echo", "hello"]);
    }));

  test("forwards, probes, and serves what another server has", () =>
    withServer("good", async (port) => {
      const server = `tcpmuxs://127.0.0.1:${port}`;
      const ca = text("ca.crt");
      const log = () => {};
      const local = await forward(server, { echo: 0 }, { tls: { ca }, log });
      const gateway = await serve({
        server: { listen: "127.0.0.1:0" },
        services: {
          far: { tcpmux: { server, service: "echo" }, tls: { ca } },
        },
      }, { log });
      const raw = await (await pickTransport())
        .connect(local.addresses[0]!).conn;
      const far = await connect(gateway.addresses[0]!, "far");
      for (const conn of [raw, far]) {
        await conn.write(new TextEncoder().encode("hello"));
        await conn.closeWrite();
        assertEquals(await readAll(conn), "hello");
        conn.close();
      }
      const probed = await probe(server, ["echo"], { tls: { ca } });
      assertEquals(probed.status, "OK");
      assertEquals(probed.services[0]!.tls?.server?.subject, "CN=good");
      const soon = await probe(server, [], { tls: { ca }, expiry: "999h" });
      assertEquals(soon.status, "WARNING");
      assertMatch(soon.services[0]!.error!, /ends on \d{4}-.*, in 29 days/);
      const bad = await probe(server, ["echo"], { tls: true });
      assertEquals(bad.status, "CRITICAL");
      await local.close(0);
      await gateway.close(0);
    }));

  const wrong: readonly {
    readonly certificate: string;
    readonly tls: boolean | (() => ClientTls);
    readonly message: RegExp;
  }[] = [
    {
      certificate: "expired",
      tls: named,
      message: /^the certificate of 127\.0\.0\.1:\d+ has expired on \d{4}-/,
    },
    {
      certificate: "early",
      tls: named,
      message: /is not valid before \d{4}-\d\d-\d\d/,
    },
    {
      certificate: "foreign",
      tls: named,
      message:
        /is signed by none in ca, or .* between \(give the right one by --ca, or the key ca; or, if you know that it is the right server, pin its key by --pin, or the key pin: sha256\/\/.*, without it\)$/,
    },
    {
      certificate: "clients",
      tls: named,
      message: /is not one for servers/,
    },
    {
      certificate: "self",
      tls: named,
      message:
        /is signed by itself, and it is not in ca \(.* if you know .* pin: sha256/,
    },
    {
      certificate: "good",
      tls: true,
      message: /is not signed by an authority that is trusted/,
    },
    {
      certificate: "good",
      tls: () => ({ ...named(), serverName: "other.example" }),
      message:
        /is not for other\.example: it is for mux\.example, \*\.wild.* by --server-name, or the key server_name\)/,
    },
    {
      certificate: "good",
      tls: () => ({ ...named(), serverName: "a.b.wild.example" }),
      message: /is not for a\.b\.wild\.example/,
    },
    {
      certificate: "named",
      tls: () => ({ ca: text("ca.crt") }),
      message: /is not for 127\.0\.0\.1: it is for mux\.example/,
    },
    {
      certificate: "evil",
      tls: () => ({ ...named(), serverName: "a.example" }),
      message: /is not for a\.example: it is for a\\u001b\[31m\.example/,
    },
    {
      certificate: "nameless",
      tls: () => ({ ...named(), serverName: "nameless" }),
      message:
        /is not for nameless: it has no subjectAltName, only CN=nameless/,
    },
    {
      certificate: "good",
      tls: () => ({ pin: `sha256//${"A".repeat(43)}=` }),
      message:
        /has another key than the one pinned: its pin is sha256\/\/.{43}=/,
    },
    {
      certificate: "good",
      tls: () => ({ ...named(), pin: `sha256//${"A".repeat(43)}=` }),
      message: /has another key than the one pinned/,
    },
  ];
  function named(): ClientTls {
    return { ca: text("ca.crt"), serverName: "mux.example" };
  }
  for (const { certificate, tls, message } of wrong) {
    test(`does not take ${certificate}: ${message.source}`, () =>
      withServer(certificate, async (port) => {
        // What was not checked the first time is no excuse the next time.
        assert(
          await echoes(port, { verify: false, serverName: "mux.example" }),
        );
        const demands = typeof tls === "boolean" ? tls : tls();
        const work = () => echoes(port, demands);
        await rejects(work, "untrusted", message);
      }));
  }

  test("takes the key that is pinned, in place of an authority or beside", () =>
    withServer("good", async (port) => {
      const conn = await connect(`127.0.0.1:${port}`, "echo", {
        tls: { verify: false },
      });
      const pin = `sha256//${"A".repeat(43)}=;${conn.tls!.server!.pin}`;
      conn.close();
      assert(await echoes(port, { pin, serverName: "other.example" }));
      assert(await echoes(port, { pin, ca: text("ca.crt") }));
      const foreign = { pin, ca: text("other.crt") };
      await rejects(() => echoes(port, foreign), "untrusted", /none in ca/);
    }));

  for (const version of ["1_2", "1_3"]) {
    const demanding = (use: (port: number) => Promise<void>) =>
      withSServer([
        ...["-cert", files("good").cert, "-key", files("good").key],
        ...["-CAfile", join(folder, "ca.crt"), `-tls${version}`],
        ...["-Verify", "1", "-verify_return_error"],
      ], use);
    const own = (name: string) => ({
      ca: text("ca.crt"),
      cert: text(`${name}.crt`),
      key: text(`${name}.key`),
    });

    test(`shows its own certificate (TLS ${version})`, () =>
      demanding(async (port) => {
        const tls = own("alice");
        const conn = await connect(`127.0.0.1:${port}`, REVERSED, { tls });
        assertEquals(conn.message, "go");
        conn.close();
      }));

    test(`says that the server refuses its certificate (TLS ${version})`, () =>
      demanding(async (port) => {
        const tls = own("foreign");
        await rejects(
          () => connect(`127.0.0.1:${port}`, REVERSED, { tls }),
          "untrusted",
          /refused our certificate: it does not trust the authority/,
        );
      }));

    test(`says that the server demands one (TLS ${version})`, () =>
      demanding(async (port) => {
        const tls = { ca: text("ca.crt") };
        const work = () => connect(`127.0.0.1:${port}`, REVERSED, { tls });
        const { message } = await assertRejects(work, TcpmuxError);
        assertMatch(message, /requires .*\(give --cert and --key, or the keys/);
      }));
  }

  test("says which of its texts cannot be used, and connects to nobody", async () => {
    const own = { cert: text("alice.crt"), key: text("alice.key") };
    const rows: readonly (readonly [ClientTls, RegExp])[] = [
      [{ ca: "" }, /^TLS: ca holds no certificate in PEM$/],
      [
        { ca: text("ca.crt").replaceAll(" CERTIFICATE", " TRUSTED&") },
        /^TLS: ca holds no certificate in PEM$/,
      ],
      [{ ca: own.key }, /^TLS: ca holds no certificate in PEM$/],
      [
        { ca: text("ca.crt").replaceAll(/^MII/gm, "AII") },
        /^TLS: ca holds a certificate that cannot be read$/,
      ],
      [{ ...own, cert: "" }, /^TLS: cert does not begin with a certificate/],
      [{ ...own, key: own.cert }, /^TLS: key is no private key in PEM, or it/],
      [
        { ...own, key: text("foreign.key") },
        /^TLS: key is not the key of the certificate in cert \(give the one/,
      ],
    ];
    let count = 0;
    await withTcp(() => count++, async (address) => {
      for (const [tls, message] of rows) {
        const work = () => connect(address, "echo", { tls });
        await rejects(work, "usage", message);
      }
    });
    assertEquals(count, 0);
  });

  test("takes a certificate that is its own authority", () =>
    withServer("alone", async (port) => {
      assert(await echoes(port, { ca: text("alone.crt") }));
    }));
});

/** Runs `use` with the address of a server that does this with each client. */
async function withTcp(
  serve: (socket: Socket) => void,
  use: (address: string) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    serve(socket);
  });
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  try {
    const { port } = server.address() as { port: number };
    await use(`127.0.0.1:${port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

describe("a client by TLS, of what is no TLS server,", () => {
  const tls = { verify: false };

  test("says that it is none", () =>
    withTcp(
      (socket) => socket.once("data", () => socket.end("-what?\r\n")),
      (address) =>
        rejects(
          () => connect(address, "echo", { tls }),
          "protocol",
          /does not speak TLS \(connect without it/,
        ),
    ));

  for (const end of ["end", "resetAndDestroy"] as const) {
    test(`says that it closed the connection (${end})`, () =>
      withTcp(
        (socket) => socket.once("data", () => socket[end]()),
        (address) =>
          rejects(
            () => connect(address, "echo", { tls }),
            "protocol",
            /closed the connection during the TLS handshake/,
          ),
      ));
  }

  for (const end of ["end", "resetAndDestroy"] as const) {
    test(`says that it closed the connection at once (${end})`, () =>
      withTcp(
        (socket) => socket[end](),
        async (address) => {
          const work = () =>
            connect(address, "echo", { tls, connectTimeout: "20s" });
          const { code, message } = await assertRejects(work, TcpmuxError);
          assertMatch(message, /closed the connection|was reset/);
          assert(code === "protocol" || code === "connection_reset", code);
        },
      ));
  }

  test("says that it closed the connection before TLS", () =>
    withTcp((socket) => socket.end(), async (address) => {
      const transport = await pickTransport();
      const endpoint = parseEndpoint(address);
      const { conn } = transport.connect(endpoint, { forTls: true });
      const raw = await conn;
      // Deno does not know before somebody reads.
      const knows = transport.name !== "deno";
      await until("it has ended", () => !knows || raw.end === null);
      const demands = demandsOf({ verify: false })!;
      const wanted = { endpoint, demands, alpn: [] };
      await rejects(
        () =>
          secureAsClient(raw, wanted, {
            timeout: 20_000,
            begin: performance.now(),
            timers: transport.timers,
            hold() {},
          }),
        "protocol",
        /closed the connection during the TLS handshake/,
      );
    }));

  test("says that it is none if it speaks first", () =>
    withTcp(
      (socket) => socket.write("220 mail.example ESMTP\r\n"),
      (address) =>
        rejects(
          () => connect(address, "echo", { tls, connectTimeout: "20s" }),
          "protocol",
          /does not speak TLS/,
        ),
    ));

  test("waits no longer than its time, or than it is told", () =>
    withTcp((socket) => socket.resume(), async (address) => {
      await rejects(
        () => connect(address, "echo", { tls, connectTimeout: 300 }),
        "timed_out",
        /^no TLS with .*: no answer in 300 ms/,
      );
      const controller = new AbortController();
      const { signal } = controller;
      setTimeout(() => controller.abort(), 300);
      await rejects(
        () => connect(address, "echo", { tls, signal }),
        "cancelled",
        /cancelled/,
      );
    }));

  test("reads no bytes of it that are cut off", () =>
    withTcp(
      (socket) => socket.once("data", () => socket.end("\x16\x03\x03\x01\0")),
      (address) =>
        rejects(
          () => connect(address, "echo", { tls }),
          "protocol",
          /closed the connection|do not agree|does not speak TLS/,
        ),
    ));
});

describe("a client without TLS", () => {
  test("is told of a server that speaks it", () =>
    withTcp(
      (socket) =>
        socket.once("data", () => socket.end("\x15\x03\x01\0\x02\x02F")),
      async (address) => {
        const says = /it speaks TLS \(connect to it by TLS: --tls/;
        await rejects(() => connect(address, "echo"), "protocol", says);
        await rejects(() => list(address), "protocol", says);
      },
    ));
});

describe("the option tls", () => {
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    ["yes", /tls must be true, false or an object/],
    [{ caa: "" }, /tls\.caa is unknown; allowed: ca, cert/],
    [{ ca: 3 }, /tls\.ca must be a string/],
    [{ cert: "" }, /cert and key go together/],
    [{ pin: "md5//abc" }, /tls\.pin: "md5\/\/abc" is not sha256\/\/BASE64/],
    [{ serverName: "a b" }, /the server's name is "a b"; allowed/],
  ];
  for (const [tls, message] of wrong) {
    test(`cannot be ${JSON.stringify(tls)}`, async () => {
      const options = { tls: tls as ClientTls };
      const work = () => connect("127.0.0.1:1", "echo", options);
      assertMatch((await assertRejects(work, TypeError)).message, message);
    });
  }

  test("does not contradict the URL", async () => {
    const url = "tcpmuxs://127.0.0.1:1/echo";
    const work = () => connect(url, { tls: false });
    assertMatch(
      (await assertRejects(work, TypeError)).message,
      /is reached by TLS, but tls is false/,
    );
    const twice = () => connect(url, "echo");
    assertMatch(
      (await assertRejects(twice, TypeError)).message,
      /names a service already/,
    );
  });
});
