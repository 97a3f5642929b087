/** Listeners that ask clients for certificates, and good and bad ones. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { copyFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { serve } from "../mod.ts";
import { Authority, type Issued, selfSigned } from "./support/certificates.ts";
import { exchange } from "./support/client.ts";
import { tcpmux } from "./support/command.ts";
import { findProgram, needs } from "./support/needs.ts";
import { type Ran, run } from "./support/run.ts";
import {
  programResets,
  type RunningServer,
  withServer,
} from "./support/server.ts";
import { until } from "./support/wait.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-clients-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const hasOpenssl = findProgram("openssl") !== undefined;
const usage = "clientAuth";

/** What all tests have, made once. */
async function make() {
  const ca = await Authority.make(folder);
  const other = await Authority.make(folder, "other");
  const between = await Authority.make(folder, "between", ca);
  const copy = async (name: string, ...from: string[]) => {
    const all = from.map((one) => readFileSync(one, "utf8")).join("");
    await writeFile(file(name), all);
    return file(name);
  };
  const deep = await between.issue("deep", { usage });
  await ca.issue("server", { names: "DNS:mux.example" });
  return {
    ca,
    other,
    between,
    alice: await ca.issue("alice", {
      usage,
      subject: "/O=Example/OU=field/CN=alice",
      names: "DNS:a.dev.example,URI:spiffe://fleet/a",
    }),
    bob: await ca.issue("bob", { usage, subject: "/OU=office/CN=bob" }),
    // Who is revoked stays so.
    carol: await ca.issue("carol", { usage }),
    dave: await ca.issue("dave", { usage }),
    deep,
    chain: {
      key: deep.key,
      cert: await copy("chain.crt", deep.cert, between.cert),
    },
    both: await copy("both.crt", ca.cert, between.cert),
    bad: {
      "of another authority": await other.issue("stranger", { usage }),
      "that has expired": await ca.issue("old", { usage, days: -1 }),
      "that is not valid yet": await ca.issue("early", {
        usage,
        isEarly: true,
      }),
      "for servers only": await ca.issue("serves", { usage: "serverAuth" }),
      "that has signed itself": await selfSigned(folder, "self"),
    } as Readonly<Record<string, Issued>>,
  };
}
const pki = hasOpenssl ? await make() : undefined;
const NOBODY = undefined;

const SERVICES = `
[services.hello]
text = "hello\\n"
[services.field]
text = "field\\n"
allow_certificate = ["OU=field"]
[services.fleet]
text = "fleet\\n"
allow_certificate = ["SAN:uri:spiffe://fleet/*", "CN=nobody"]
[services.env]
exec = ["sh", "-c", "env | grep -E '^(SSL_CLIENT|TCPMUX_PEER)' | sort"]
`;

interface Options {
  /** More of `[server.tls]`. */
  readonly tls?: string;
  readonly ca?: string;
  readonly server?: string;
  readonly services?: string;
  readonly listen?: readonly string[];
}

function tableOf(
  { tls = "", ca = file("ca.crt"), server = "", services = SERVICES }: Options,
): string {
  return `[server]
${server}
[server.tls]
cert = "${file("server.crt")}"
key = "${file("server.key")}"
client_ca = "${ca}"
${tls}
${services}`;
}

function withClients(
  use: (server: RunningServer, table: string) => Promise<void>,
  options: Options = {},
): Promise<void> {
  const { listen = ["tls://127.0.0.1:0"] } = options;
  return withServer(
    tableOf(options),
    (server, folder) => use(server, join(folder, "services.toml")),
    {
      args: listen.flatMap((one) => ["--listen", one]),
    },
  );
}

/** How openssl s_client presents a session, if it was given one. */
function presenting(session: string): string[] {
  return existsSync(session) ? ["-sess_in", session] : [];
}

/** What openssl s_client gets that asks for a service. */
async function asked(
  port: number,
  service: string,
  client?: Issued,
  ...given: string[]
): Promise<string> {
  // A server that never resumes a session may give none.
  const lacks = given.at(-2) === "-sess_in" && !existsSync(given.at(-1)!);
  const words = lacks ? given.slice(0, -2) : given;
  const { stdout } = await run([
    ...["openssl", "s_client", "-connect", `127.0.0.1:${port}`, "-quiet"],
    ...(client === undefined ? [] : ["-cert", client.cert, "-key", client.key]),
    ...words,
  ], { input: `${service}\r\n` });
  return String(stdout).replaceAll("\r\n", "\n");
}

/** How other clients show a certificate. */
const CLIENTS: readonly [
  string,
  (port: number, client: Issued) => string[],
][] = [
  ["gnutls-cli", (port, { cert, key }) => [
    ...["gnutls-cli", "--logfile=/dev/null", "-p", String(port)],
    ...[`--x509cafile=${file("ca.crt")}`, "--verify-hostname=mux.example"],
    ...[`--x509certfile=${cert}`, `--x509keyfile=${key}`, "127.0.0.1"],
  ]],
  ["socat", (port, { cert, key }) => [
    ...["socat", "-t", "10", "-"],
    `OPENSSL:127.0.0.1:${port},cafile=${file("ca.crt")},` +
    `commonname=mux.example,cert=${cert},key=${key}`,
  ]],
  ["curl", (port, { cert, key }) => [
    ...["curl", "-sS", "--http0.9", "--no-alpn", "--cacert", file("ca.crt")],
    ...["--resolve", `mux.example:${port}:127.0.0.1`],
    ...["--cert", cert, "--key", key, `https://mux.example:${port}/`],
  ]],
];

const REFUSED = "-Certificate refused\n";
const REQUIRED = "-Certificate required\n";
const UNKNOWN = "-Service not available\n";

describe("a listener that asks for certificates", needs("openssl"), () => {
  const { alice, bob, carol, dave, deep, chain, both, bad, ca, between } = pki!;

  for (const version of ["-tls1_2", "-tls1_3"]) {
    test(`lets in who has a good one, and no other (${version})`, () =>
      withClients(async (server) => {
        const { port } = server;
        assertEquals(
          await asked(port, "hello", alice, version),
          "+Go\nhello\n",
        );
        const record = await server.record("hello");
        assertEquals(
          [record.subject, record.san],
          [
            "CN=alice,OU=field,O=Example",
            "dns:a.dev.example,uri:spiffe://fleet/a",
          ],
        );
        assertMatch(String(record.fingerprint), /^[0-9a-f]{64}$/);
        assertEquals(await asked(port, "hello", NOBODY, version), REQUIRED);
        for (const [what, client] of Object.entries(bad)) {
          const said = await asked(port, "hello", client, version);
          assertEquals(said, REFUSED, what);
        }
        const count = 1 + Object.keys(bad).length;
        await until(
          "all are recorded",
          () => refusals(server).length === count,
        );
        assertEquals(
          refusals(server).map(({ reason, outcome, subject, service }) => [
            outcome,
            subject,
            service,
            /(expired|not valid before|signed by|not for clients|shows no)/
              .exec(String(reason))?.[0],
          ]),
          [
            "shows no",
            "signed by",
            "expired",
            "not valid before",
            "not for clients",
            "signed by",
          ].map((why) => ["denied", undefined, "", why]),
        );
      }));
  }

  test("is nobody without one where it is optional, and refused with a bad one", () =>
    withClients(async ({ port }) => {
      assertEquals(await asked(port, "hello"), "+Go\nhello\n");
      assertEquals(await asked(port, "hello", alice), "+Go\nhello\n");
      assertEquals(await asked(port, "field", alice), "+Go\nfield\n");
      assertEquals(await asked(port, "field"), UNKNOWN);
      for (const [what, client] of Object.entries(bad)) {
        assertEquals(await asked(port, "hello", client), REFUSED, what);
      }
    }, { tls: 'client_certificate = "optional"' }));

  test("lets in by names, and HELP shows each what it may use", () =>
    withClients(async (server) => {
      const { port } = server;
      assertEquals(
        await asked(port, "HELP", alice),
        "hello\nfield\nfleet\nenv\n",
      );
      assertEquals(await asked(port, "HELP", bob), "hello\nenv\n");
      assertEquals(await asked(port, "fleet", alice), "+Go\nfleet\n");
      assertEquals(await asked(port, "field", bob), UNKNOWN);
      assertEquals(await asked(port, "nosuch", bob), UNKNOWN);
      const record = await server.logged(
        "connection",
        ({ code }) => code === "denied",
      );
      assertEquals([record.code, record.subject], [
        "denied",
        "CN=bob,OU=office",
      ]);
      assertMatch(String(record.reason), /none of the names in .* of field/);
    }));

  test("tells a program who its client is", () =>
    withClients(async ({ port }) => {
      const env = await asked(port, "env", alice);
      assertMatch(
        env,
        /^\+Go\nSSL_CLIENT_DN=CN=alice,OU=field,O=Example\nSSL_CLIENT_I_DN=CN=ca\nTCPMUX_PEER_FINGERPRINT=[0-9a-f]{64}\nTCPMUX_PEER_SAN=dns:a\.dev\.example,uri:spiffe:\/\/fleet\/a\nTCPMUX_PEER_SUBJECT=CN=alice,OU=field,O=Example\n$/,
      );
    }));

  test("shuts all out who are not in the server's allow_certificate", () =>
    withClients(async (server) => {
      const { port } = server;
      assertEquals(await asked(port, "hello", alice), "+Go\nhello\n");
      assertEquals(await asked(port, "hello", bob), UNKNOWN);
      assertEquals(await asked(port, "HELP", bob), "");
      await server.logged("connection", ({ code }) => code === "help");
    }, { server: 'allow_certificate = ["CN=alice"]' }));

  test("keeps those from a service who come by a plain listener", () =>
    withClients(async (server) => {
      const plain = Number(/ \S+:(\d+)$/.exec(await server.serving())![1]);
      assertEquals(await exchange(plain, "hello\r\n"), "+Go\r\nhello\n");
      assertEquals(
        await exchange(plain, "field\r\n"),
        "-Service not available\r\n",
      );
      assertEquals(await exchange(plain, "HELP\r\n"), "hello\r\nenv\r\n");
    }, { listen: ["tls://127.0.0.1:0", "127.0.0.1:0"] }));

  test("serves by SNI whom a name in the certificate lets in", () =>
    withClients(async (server) => {
      const { port } = server;
      const by = (host: string, client: Issued) =>
        asked(port, "", client, "-servername", `${host}.mux.example`);
      assertEquals(await by("field", alice), "field\n");
      // Neither who may not use it nor who means no service hears a word.
      assertEquals(await by("field", bob), "");
      assertEquals(await by("nosuch", bob), "");
      assertEquals(await by("hello", bad["of another authority"]!), "");
      const codes = () =>
        server.log.filter(({ message }) => message === "connection")
          .map(({ code }) => code);
      await until("all are recorded", () => codes().length === 4);
      assertEquals(codes(), ["ok", "denied", "unknown", "bad_certificate"]);
    }, { tls: 'sni_names = ["mux.example"]' }));

  test("keeps those from a service who begin no TLS where they need not", () =>
    withClients(async ({ port }) => {
      assertEquals(await asked(port, "field", alice), "+Go\nfield\n");
      assertEquals(
        await exchange(port, "field\r\n"),
        "-Service not available\r\n",
      );
    }, {
      listen: ["tls-or-plain://127.0.0.1:0"],
      tls: 'client_certificate = "optional"',
    }));

  test("takes an authority between, in client_ca or from the client", () =>
    withClients(async ({ port }) => {
      assertEquals(await asked(port, "hello", deep), REFUSED);
      const words = ["-cert_chain", between.cert];
      const said = await asked(port, "hello", deep, ...words);
      assertEquals(said, programResets() ? "+Go\nhello\n" : REFUSED);
      assertEquals(chain.key, deep.key);
    }).then(() =>
      withClients(async ({ port }) => {
        assertEquals(await asked(port, "hello", deep), "+Go\nhello\n");
        assertEquals(await asked(port, "hello", alice), "+Go\nhello\n");
      }, { ca: both })
    ));

  for (
    const [version, client, name] of [
      ["-tls1_2", carol, "carol"],
      ["-tls1_3", dave, "dave"],
    ] as const
  ) {
    test(`no session outlives a revocation, nor needs no certificate (${version})`, async () => {
      const empty = await ca.revoke();
      await copyFile(empty, file("list.pem"));
      const ticket = file(`ticket${version}`);
      const bad2 = file(`bad-ticket${version}`);
      const none = file(`none-ticket${version}`);
      await withClients(async (server) => {
        const { port } = server;
        const keep = [version, "-sess_out"];
        assertEquals(
          await asked(port, "hello", client, ...keep, ticket),
          "+Go\nhello\n",
        );
        const stranger = bad["of another authority"];
        await asked(port, "hello", stranger, ...keep, bad2);
        await asked(port, "hello", NOBODY, ...keep, none);
        // Each ticket says what its client has shown, and nothing more.
        const again = (session: string) => [version, ...presenting(session)];
        for (
          const [kept, shown, wants] of [
            [ticket, client, "+Go\nhello\n"],
            [bad2, stranger, REFUSED],
            [none, NOBODY, REQUIRED],
          ] as const
        ) {
          const said = await asked(port, "hello", shown, ...again(kept));
          assertEquals(said, wants, kept);
        }
        assert(
          /^-Certificate/.test(
            await asked(port, "hello", NOBODY, ...again(bad2)),
          ),
        );
        await copyFile(await ca.revoke(client), file("list.new"));
        await rename(file("list.new"), file("list.pem"));
        await server.logged(
          "the files of [server.tls] have changed, and are in use",
        );
        for (const words of [[version], again(ticket)]) {
          const said = await asked(port, "hello", client, ...words);
          assertEquals(said, REFUSED, words.join(" "));
        }
        const byTicket = await asked(port, "hello", NOBODY, ...again(ticket));
        assertMatch(byTicket, /^-Certificate/);
        const { reason } = refusals(server).at(-2)!;
        assertEquals(reason, `certificate CN=${name} is revoked`);
        assertEquals(await asked(port, "hello", alice), "+Go\nhello\n");
      }, { tls: `crl = "${file("list.pem")}"` });
    });
  }

  for (const version of ["-tls1_2", "-tls1_3"]) {
    test(`a ticket says no more than its client has shown (${version})`, () =>
      withClients(async (server, table) => {
        const { port } = server;
        const stranger = bad["of another authority"];
        const shown = { good: alice, bad: stranger, none: NOBODY };
        const ticketOf = (name: string) => file(`${name}${version}.ticket`);
        for (const [name, client] of Object.entries(shown)) {
          const keep = [version, "-sess_out", ticketOf(name)];
          await asked(port, "hello", client, ...keep);
        }
        const again = (name: string, client?: Issued) =>
          asked(port, "hello", client, version, ...presenting(ticketOf(name)));
        const said = await again("bad");
        // Where no session is resumed, it is as if the client had no ticket.
        assert([REFUSED, "+Go\nhello\n"].includes(said), said);
        assertEquals(said === REFUSED, !programResets());
        assertEquals(await again("bad", stranger), REFUSED);
        assertEquals(await again("good", alice), "+Go\nhello\n");
        assertEquals(await again("none"), "+Go\nhello\n");
        const reload = async (options: Options) => {
          const lines = () =>
            server.log.filter(({ message }) => message === "reloaded").length;
          const before = lines();
          await writeFile(table, tableOf(options));
          server.signal("SIGHUP");
          await until("it has reloaded", () => lines() > before);
        };
        // From now on one is required, and then one of another authority.
        await reload({});
        assertEquals(await again("none"), REQUIRED);
        assertEquals(await again("good", alice), "+Go\nhello\n");
        await reload({ ca: file("other.crt") });
        assertEquals(await again("good", alice), REFUSED);
        assertMatch(await again("good"), /^-Certificate/);
        assertEquals(await again("bad", stranger), "+Go\nhello\n");
      }, { tls: 'client_certificate = "optional"' }));
  }

  test("does not renegotiate: a client stays who it is", () =>
    withClients(async (server) => {
      const client = spawn("openssl", [
        ...["s_client", "-connect", `127.0.0.1:${server.port}`, "-tls1_2"],
        ...["-cert", alice.cert, "-key", alice.key],
      ]);
      let said = "";
      client.stdout.on("data", (bytes) => said += bytes);
      client.stderr.on("data", (bytes) => said += bytes);
      client.stdin.on("error", () => {}); // it may have ended
      const over = new Promise((resolve) => client.once("close", resolve));
      client.stdin.write("stay\r\n");
      await until("it is served", () => said.includes("+Go"));
      client.stdin.write("R\n"); // has openssl renegotiate
      await over;
      assertMatch(said, /RENEGOTIATING[^]*no renegotiation/);
    }, { services: '[services.stay]\nbuiltin = "echo"\n' }));

  test("tells a function of the library who its client is", async () => {
    const seen: unknown[] = [];
    const server = await serve({
      server: {
        listen: "tls://127.0.0.1:0",
        tls: {
          cert: file("server.crt"),
          key: file("server.key"),
          client_ca: file("ca.crt"),
        },
      },
      services: {
        who: async (conn, { peer }) => {
          const { subject, names } = peer.tls!.certificate!;
          seen.push(subject.at(-1), names, peer.remote.transport);
          await conn.write(new TextEncoder().encode("seen"));
        },
      },
    }, { log: () => {} });
    try {
      const [at] = server.addresses;
      assert(at?.transport === "tcp");
      assertEquals(await asked(at.port, "who", alice), "+Go\nseen");
      assertEquals(seen, [
        { type: "CN", value: "alice" },
        [
          { kind: "dns", value: "a.dev.example" },
          { kind: "uri", value: "spiffe://fleet/a" },
        ],
        "tcp",
      ]);
    } finally {
      await server.close();
    }
  });

  test("refuses all of an authority whose list has ended, and says so", async () => {
    await copyFile(await ca.revokeUntil("-crlsec", "9"), file("short.pem"));
    await withClients(async (server) => {
      const { port } = server;
      assertEquals(await asked(port, "hello", alice), "+Go\nhello\n");
      const line = await server.logged("clients with certificates are refused");
      assertMatch(String(line.reason), /crl .*the list of CN=ca, which ended/);
      assertEquals(await asked(port, "hello", alice), REFUSED);
    }, { tls: `crl = "${file("short.pem")}"` });
  });

  test("an unreadable list changes nothing, and is said", async () => {
    await copyFile(await ca.revoke(), file("good.pem"));
    await withClients(async (server) => {
      await writeFile(file("good.pem"), "no list");
      const line = await server.logged(
        "the files of [server.tls] have changed and are not used",
      );
      assertMatch(String(line.reason), /good\.pem has no list of revoked/);
      assertEquals(await asked(server.port, "hello", alice), "+Go\nhello\n");
    }, { tls: `crl = "${file("good.pem")}"` });
  });

  test("cannot be deceived by names that read like others", async () => {
    const forged = {
      newline: await ca.issue("forged1", {
        usage,
        subject: "/CN=mallory\nOU=field",
      }),
      comma: await ca.issue("forged2", {
        usage,
        subject: "/CN=mallory,OU=field",
      }),
      slash: await ca.issue("forged3", {
        usage,
        subject: "/CN=mallory\\/OU=field",
      }),
      names: await ca.issue("forged4", {
        names: [
          "URI:spiffe://other/a, URI:spiffe://fleet/a",
          "URI:spiffe://fleet/a/b",
          "URI:spiffe://fleet/..",
          "DNS:spiffe://fleet/a",
        ],
      }),
    };
    await withClients(async (server) => {
      const { port } = server;
      for (const [what, client] of Object.entries(forged)) {
        assertEquals(await asked(port, "HELP", client), "hello\nenv\n", what);
      }
      const lines = await until("all four are logged", () => {
        const found = server.log.filter(({ code }) => code === "help");
        return found.length === 4 ? found : undefined;
      });
      assertEquals(lines[0]!.subject, "CN=mallory\\0AOU=field");
      assertEquals(lines[1]!.subject, "CN=mallory\\,OU=field");
      assertMatch(
        String(lines[3]!.san),
        /^uri:spiffe:\/\/other\/a\\, URI:spiffe:\/\/fleet\/a,uri:spiffe/,
      );
    });
  });

  test("bounds the size of a certificate", async () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, i) => `DNS:host-${i}.dev.example`)
        .join(",");
    const large = await ca.issue("large", { names: many(100) });
    const huge = await ca.issue("huge", { names: many(1500) });
    await withClients(async (server) => {
      const { port } = server;
      assertEquals(await asked(port, "hello", large), "+Go\nhello\n");
      const said = await asked(port, "hello", huge);
      const { code, reason } = await server.logged(
        "connection",
        (line) => line.code !== "ok",
      );
      assertEquals(code, "bad_certificate");
      assertMatch(String(reason), /larger than 16384 bytes/);
      // Bun cannot write to the client of a certificate that large.
      assert(["", REFUSED].includes(said), said);
    });
  });

  for (const [program, words] of CLIENTS) {
    test(
      `serves ${program} with a certificate`,
      needs(program),
      () =>
        withClients(async ({ port }) => {
          const ask = (client: Issued): Promise<Ran> =>
            run(words(port, client), { input: "hello\r\n" });
          const good = await ask(alice);
          const said = String(good.stdout).replaceAll("\r\n", "\n");
          assertMatch(said, program === "curl" ? /^-/ : /\+Go\nhello\n/);
          const { stdout } = await ask(bad["of another authority"]!);
          assert(!/\+Go|-(Malformed|Service)/.test(String(stdout)));
        }),
    );
  }
});

function refusals(server: RunningServer) {
  return server.log.filter(({ code }) => code === "bad_certificate");
}

describe("a table that asks for certificates", needs("openssl"), () => {
  const check = async (table: string) => {
    await writeFile(file("table.toml"), table);
    const { code, out, err } = await tcpmux(
      ["check", "--no-strict-modes", file("table.toml")],
    );
    assertEquals(code, 78, `${out}${err}`);
    return err;
  };
  const listen = 'listen = "tls://127.0.0.1:0"';

  test("needs client_ca", async () => {
    const said = await check(`[server]
${listen}
[server.tls]
cert = "server.crt"
key = "server.key"
client_certificate = "required"
crl = "x"
[services.a]
text = ""
`);
    assertMatch(said, /:6: .*client_certificate: is "required", which needs/);
    assertMatch(said, /:7: .*crl: needs client_ca/);
  });

  test("requires none where clients may leave out TLS", async () => {
    const said = await check(`[server]
listen = "tls-or-plain://127.0.0.1:0"
[server.tls]
cert = "server.crt"
key = "server.key"
client_ca = "ca.crt"
[services.a]
text = ""
`);
    assertMatch(
      said,
      /:2: server\.listen.*: tls-or-plain:\/\/ lets clients leave/,
    );
  });

  test("says what is wrong with the files", async () => {
    await pki!.other.revoke();
    const with_ = (ca: string, crl: string) =>
      check(tableOf({ ca, server: listen, tls: `crl = "${crl}"` }));
    assertMatch(
      await with_("server.key", "x"),
      /client_ca: server\.key has no certificate in PEM/,
    );
    assertMatch(
      await with_("alice.crt", "x"),
      /client_ca: alice\.crt has CN=alice.*, which is .* of no authority/,
    );
    assertMatch(await with_("ca.crt", "none"), /crl: .*none: no such/);
    assertMatch(
      await with_("ca.crt", "other.crl"),
      /crl: other\.crl has a list that no authority in client_ca has signed/,
    );
    await copyFile(await pki!.ca.revoke(), file("now.pem"));
    assertMatch(
      await with_("both.crt", "now.pem"),
      /crl: now\.pem has no list of CN=between, which is in client_ca/,
    );
    await copyFile(await pki!.ca.revokeUntil("-crlsec", "1"), file("end.pem"));
    let said = "";
    await until("it has ended", async () => {
      const table = tableOf({
        ca: "ca.crt",
        server: listen,
        tls: 'crl = "end.pem"',
      });
      await writeFile(file("table.toml"), table);
      const words = ["check", "--no-strict-modes", file("table.toml")];
      const { code, err } = await tcpmux(words);
      said = err;
      return code === 78;
    });
    assertMatch(said, /crl: end\.pem has the list of CN=ca, which ended at/);
  });

  test("names allow_certificate where nobody shows one", async () => {
    const services = '[services.a]\ntext = ""\nallow_certificate = ["CN=a"]\n';
    const plain = await check(
      `[server]\nlisten = "127.0.0.1:0"\n${services}`,
    );
    assertMatch(
      plain,
      /:5: services\.a\.allow_certificate: needs a listener that asks/,
    );
    const mixed = await check(tableOf({
      server: 'listen = ["tls://127.0.0.1:0", "127.0.0.1:7777"]\n' +
        'allow_certificate = ["CN=a"]',
      services,
    }));
    assertMatch(mixed, /server\.listen\[1\].* 127\.0\.0\.1:7777 .*no certif/);
    const wrong = await check(tableOf({
      server: listen,
      services: '[services.a]\ntext = ""\nallow_certificate = ["C*=a", ' +
        '"CN=*", "SAN:dns:a.*.b", "SAN:uri:spiffe://*/a", "SAN:dsn:a"]\n',
    }));
    assertEquals(wrong.match(/allow_certificate\[\d\]/g)?.length, 5, wrong);
  });
});
