/** The commands that ask a server, by TLS: flags, URLs, aliases. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { bytes, readAll } from "./support/bytes.ts";
import { Authority, selfSigned } from "./support/certificates.ts";
import { connectTo } from "./support/client.ts";
import { tcpmux } from "./support/command.ts";
import { findProgram, needs } from "./support/needs.ts";
import { mustRun, run } from "./support/run.ts";
import { portOf, withCommand } from "./support/running.ts";
import { REVERSED, withSServer } from "./support/s_server.ts";
import { programUnderTest, withServer } from "./support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-tls-commands-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

if (findProgram("openssl") !== undefined) {
  const authority = await Authority.make(folder);
  await authority.issue("good", { names: "DNS:mux.example,IP:127.0.0.1" });
  await authority.issue("soon", { names: "IP:127.0.0.1", days: 3 });
  await authority.issue("expired", { names: "IP:127.0.0.1", days: -1 });
  await authority.issue("early", { isEarly: true });
  await authority.issue("serves", { usage: "serverAuth" });
  await authority.issue("alice", { names: "URI:spiffe://fleet/alice" });
  await (await Authority.make(folder, "other")).issue("foreign");
  await selfSigned(folder, "self", "IP:127.0.0.1");
}

/** Runs `use` with a server of TCPMUX by TLS that has that certificate. */
function withTls(
  use: (port: number) => Promise<void>,
  certificate = "good",
): Promise<void> {
  return withServer(
    `[server.tls]
cert = "${file(`${certificate}.crt`)}"
key = "${file(`${certificate}.key`)}"
[services.hello]
text = "hello over TLS\\n"
[services."a/b"]
builtin = "echo"
`,
    ({ port }) => use(port),
    { args: ["--listen", "tls://127.0.0.1:0"] },
  );
}

/** Runs `use` with the environment of a user who has these aliases. */
async function withAliases(
  text: string,
  use: (env: Record<string, string>, home: string) => Promise<void>,
  where: "XDG_CONFIG_HOME" | "HOME" = "XDG_CONFIG_HOME",
): Promise<void> {
  const home = mkdtempSync(join(folder, "home-"));
  const config = join(home, ".config");
  await mkdir(join(config, "tcpmux"), { recursive: true });
  await writeFile(join(config, "tcpmux", "config.toml"), text);
  if (where === "XDG_CONFIG_HOME") return use({ [where]: config }, home);
  // Without that variable; Deno finds what it has loaded by HOME too.
  const { HOME, DENO_DIR = `${HOME}/.cache/deno` } = process.env;
  return use({ HOME: home, XDG_CONFIG_HOME: "", DENO_DIR }, home);
}

const CA = ["--ca", file("ca.crt")];

describe("by TLS", needs("openssl"), () => {
  test("connect and list take --tls, and URLs", () =>
    withTls(async (port) => {
      const at = `127.0.0.1:${port}`;
      const ways = [
        ["connect", at, "hello", "--tls", ...CA],
        ["connect", at, "hello", ...CA],
        ["connect", `tcpmuxs://${at}/hello`, ...CA],
        ["connect", `tcpmuxs://${at}`, "hello", ...CA],
        ["connect", `TCPMUXS://${at}/%68ello`, ...CA],
        ["connect", at, "hello", ...CA, "--server-name", "mux.example"],
      ];
      for (const words of ways) {
        const { code, out, err } = await tcpmux(words);
        assertEquals([code, out, err], [0, "hello over TLS\n", ""]);
      }
      const list = await tcpmux(["list", `tcpmuxs://${at}`, ...CA]);
      assertEquals([list.code, list.out], [0, "hello\na/b\n"]);
      const echo = await run([
        ...programUnderTest(),
        ...["connect", `tcpmuxs://${at}/a%2Fb`, ...CA],
      ], { input: "one\ntwo\n" });
      assertEquals(String(echo.stdout), "one\ntwo\n");
    }));

  test("connect -v says TLS, and the pin that --pin takes", () =>
    withTls(async (port) => {
      const at = `tcpmuxs://127.0.0.1:${port}/hello`;
      const first = await tcpmux(["connect", "-v", at, ...CA]);
      const [, pin] = / by TLSv1\.3, \S+, with CN=good, whose pin is (\S+)/
        .exec(first.err) ?? [];
      assert(pin !== undefined, first.err);
      const pinned = await tcpmux(["connect", at, "--pin", pin]);
      assertEquals([pinned.code, pinned.out], [0, "hello over TLS\n"]);
      const wrong = `sha256//${"A".repeat(43)}=`;
      const other = await tcpmux(["connect", at, "--pin", wrong]);
      assertEquals(other.code, 77);
      assert(other.err.includes(`its pin is ${pin}`), other.err);
    }));

  test("a certificate that is not right is exit code 77", () =>
    withTls(async (port) => {
      const at = `tcpmuxs://127.0.0.1:${port}/hello`;
      for (const words of [["connect", at], ["list", at.slice(0, -6)]]) {
        const { code, err } = await tcpmux(words);
        assertEquals(code, 77);
        assertMatch(err, /^tcpmux: the certificate of .* is signed by itself/);
      }
    }, "self"));

  test("files that cannot be used are named", async () => {
    const password = ["-aes256", "-passout", "pass:x"];
    await mustRun([
      ...["openssl", "pkey", "-in", file("alice.key")],
      ...["-out", file("locked.key"), ...password],
    ]);
    const pair = (cert: string, key: string) => [
      ...["--cert", file(cert), "--key", file(key)],
    ];
    const rows: readonly (readonly [string[], RegExp])[] = [
      [
        pair("alice.crt", "good.key"),
        /good\.key is not the key of .*alice\.crt/,
      ],
      [
        pair("alice.crt", "locked.key"),
        /locked\.key is no private key .* has a password \(.*openssl pkey -in/,
      ],
      [pair("alice.key", "alice.key"), /alice\.key does not begin with a cert/],
      [["--ca", file("alice.key")], /alice\.key holds no certificate in PEM/],
    ];
    for (const [words, message] of rows) {
      // Nobody listens there, and nobody is asked.
      const { code, err } = await tcpmux(["list", "127.0.0.1:1", ...words]);
      assertMatch(err, message);
      assertEquals([code, err.split("\n").length], [64, 2]);
    }
  });

  test("the authorities that do not vouch for a server are named", () =>
    withTls(async (port) => {
      const ca = ["--ca", file("other.crt")];
      const { code, err } = await tcpmux(["list", `127.0.0.1:${port}`, ...ca]);
      assertMatch(err, /is signed by none in \S+\/other\.crt, or /);
      assertEquals([code, /SELF_SIGNED|UNABLE/.test(err)], [77, false]);
    }));

  test("a server without TLS is exit code 76, as is TLS without --tls", () =>
    withServer('[services.a]\nbuiltin = "echo"\n', async ({ port }) => {
      const at = `127.0.0.1:${port}`;
      const plain = await tcpmux(["connect", at, "a", "--tls"]);
      assertEquals(plain.code, 76);
      assertMatch(plain.err, /does not speak TLS \(connect without it/);
      await withSServer(
        ["-cert", file("good.crt"), "-key", file("good.key")],
        async (secure) => {
          const { code, err } = await tcpmux([
            ...["connect", `127.0.0.1:${secure}`, "hello", "--timeout", "20s"],
          ]);
          assertEquals(code, 76, err);
          assertMatch(err, /perhaps it speaks TLS: --tls/);
        },
      );
    }));

  test("--cert and --key show who the client is", () =>
    withSServer([
      ...["-cert", file("good.crt"), "-key", file("good.key")],
      ...["-CAfile", file("ca.crt"), "-Verify", "1", "-verify_return_error"],
    ], async (port) => {
      const own = ["--cert", file("alice.crt"), "--key", file("alice.key")];
      const connect = (...words: string[]) =>
        run([
          ...programUnderTest(),
          ...["connect", `127.0.0.1:${port}`, REVERSED, ...CA, ...words],
        ], { input: "olleh\n" });
      const { stdout, stderr } = await connect(...own);
      assertEquals(String(stdout), "hello\n", String(stderr));
      const without = await connect();
      assertEquals(without.code, 77);
      assertMatch(
        String(without.stderr),
        /requires one.* \(give --cert and --key, or the keys cert and key\)/,
      );
    }));

  test("tcpmux demands a certificate, and says so", () =>
    withServer(
      `[server.tls]
cert = "${file("good.crt")}"
key = "${file("good.key")}"
client_ca = "${file("ca.crt")}"
[services.hello]
text = "hello over TLS\\n"
`,
      async ({ port }) => {
        const at = `tcpmuxs://127.0.0.1:${port}/hello`;
        const own = (name: string) => [
          ...["--cert", file(`${name}.crt`), "--key", file(`${name}.key`)],
        ];
        const good = await tcpmux(["connect", at, ...CA, ...own("alice")]);
        assertEquals([good.code, good.out], [0, "hello over TLS\n"]);
        const none = await tcpmux(["connect", at, ...CA]);
        assertEquals(none.code, 77);
        assertMatch(
          none.err,
          /refuses "hello": Certificate required \(give --cert and --key, or/,
        );
        const list = await tcpmux(["list", at.slice(0, -6), ...CA]);
        assertEquals(list.code, 77);
        assertMatch(list.err, /refuses "HELP": .* \(give --cert and --key, or/);
        const rows: readonly (readonly [string, RegExp])[] = [
          [
            "foreign",
            /ask the administrator of the server, whose log says why/,
          ],
          ["self", /ours, CN=self, is signed by itself/],
          ["expired", /ours, CN=expired, is expired: it ended at \d{4}-/],
          ["early", /ours, CN=early, is not valid before \d{4}-/],
          ["serves", /ours, CN=serves, is for servers only/],
        ];
        for (const [name, advice] of rows) {
          const refused = await tcpmux(["connect", at, ...CA, ...own(name)]);
          assertMatch(refused.err, /"hello": Certificate refused \(.*\)\n$/);
          assertMatch(refused.err, advice);
          assertEquals(refused.code, 77);
        }
        const plain = await tcpmux(["connect", at.slice(10, -6), "hello"]);
        assertMatch(
          plain.err,
          /"hello": TLS required here \(use --tls, tcpmuxs:/,
        );
        assertEquals(plain.code, 76);
      },
      { args: ["--listen", "tls://127.0.0.1:0"] },
    ));

  test("aliases stand for servers, and flags come first", () =>
    withTls(async (port) => {
      const text = `[hosts.prod]
address = "127.0.0.1:${port}"
ca = "${file("ca.crt")}"
[hosts.url]
address = "tcpmuxs://127.0.0.1:${port}/hello"
ca = "../../../ca.crt"
[hosts.wrong]
address = "127.0.0.1:${port}"
ca = "${file("self.crt")}"
[hosts.lax]
address = "127.0.0.1:${port}"
verify = false
`;
      await withAliases(text, async (env) => {
        const ways = [
          ["connect", "prod", "hello"],
          ["connect", "tcpmux://prod/hello"],
          ["connect", "url"],
          ["connect", "wrong", "hello", ...CA],
        ];
        for (const words of ways) {
          const { code, out, err } = await tcpmux(words, { env });
          assertEquals([code, out, err], [0, "hello over TLS\n", ""]);
        }
        const list = await tcpmux(["list", "prod"], { env });
        assertEquals(list.out, "hello\na/b\n");
        const probe = await tcpmux(["probe", "prod", "hello"], { env });
        assertEquals(probe.code, 0, probe.out);
        const wrong = await tcpmux(["connect", "wrong", "hello"], { env });
        assertEquals(wrong.code, 77);
        const lax = (...words: string[]) =>
          tcpmux(["connect", ...words, "lax", "hello"], { env });
        assertEquals((await lax()).code, 0);
        assertEquals((await lax("--ca", file("self.crt"))).code, 77);
        assertEquals((await lax(...CA, "--server-name", "x.example")).code, 77);
      });
    }));

  test("a name that no alias has is told from one that is like it", () =>
    withAliases('[hosts.prod]\naddress = "127.0.0.1:1"\n', async (env) => {
      const rows: readonly (readonly [string, RegExp | undefined])[] = [
        ["prodd", /config\.toml has no prodd either: did you mean prod\?\)$/m],
        ["tcpmuxs://Prod/x", /has no Prod either: did you mean prod\?\)$/m],
        ["prod:21060", /has prod, but an alias stands without a port\)$/m],
        ["elsewhere", /config\.toml has no elsewhere either\)$/m],
        ["prod.invalid", undefined],
      ];
      for (const [word, hint] of rows) {
        const service = word.endsWith("/x") ? [] : ["x"];
        const { code, err } = await tcpmux(["connect", word, ...service], {
          env,
        });
        assertMatch(err, /the host name cannot be resolved/);
        if (hint === undefined) assert(!err.includes("config.toml"), err);
        else assertMatch(err, hint);
        assertEquals(code, 68);
      }
    }));

  test("aliases stand in the home directory, and have paths there", () =>
    withTls((port) =>
      withAliases(
        `[hosts.a]
address = "127.0.0.1:${port}"
ca = "~/trusted.crt"
`,
        async (env, home) => {
          await copyFile(file("ca.crt"), join(home, "trusted.crt"));
          const { out, err } = await tcpmux(["connect", "a", "hello"], { env });
          assertEquals([out, err], ["hello over TLS\n", ""]);
        },
        "HOME",
      )
    ));

  test("aliases that others can write are refused", () =>
    withAliases('[hosts.a]\naddress = "127.0.0.1:1"\n', async (env, home) => {
      await chmod(join(home, ".config", "tcpmux", "config.toml"), 0o666);
      const { code, err } = await tcpmux(["list", "a"], { env });
      assertMatch(
        err,
        /config\.toml: it is writable by .* \(mode 0666\), who could change whom you trust: chmod go-w /,
      );
      assertEquals(code, 78);
    }));

  test("an alias without TLS has no keys of TLS", () =>
    withAliases(
      `[hosts.a]
address = "h"
tls = false
ca = "x"
[hosts.b]
address = "tcpmuxs://h"
tls = false
[hosts.c]
address = "h"
tls = false
`,
      async (env) => {
        const { code, err } = await tcpmux(["list", "c"], { env });
        assertMatch(
          err,
          /:3: hosts\.a\.tls: is false; allowed: true, as ca be/,
        );
        assertMatch(err, /:7: hosts\.b\.tls: .* true, as the address is one/);
        assertEquals([code, err.includes("hosts.c")], [78, false]);
      },
    ));

  test("a file of aliases that is wrong is exit code 78, with its line", () =>
    withAliases(
      `[hosts.a]
address = "h:x"
caa = "x"
[hosts.b]
cert = "b.crt"
`,
      async (env) => {
        const { code, err } = await tcpmux(["connect", "a", "x"], { env });
        assertEquals(code, 78);
        assertMatch(
          err,
          /config\.toml:2: hosts\.a\.address: is "h:x"; allowed/,
        );
        assertMatch(
          err,
          /config\.toml:3: hosts\.a\.caa: unknown key \(did you/,
        );
        assertMatch(err, /config\.toml:4: hosts\.b\.address: is missing/);
      },
    ));

  test("probe says the certificate, and warns before its end", () =>
    withTls(async (port) => {
      const at = `tcpmuxs://127.0.0.1:${port}`;
      const soon = await tcpmux(["probe", at, "hello", ...CA]);
      assertEquals(soon.code, 1, soon.out);
      assertMatch(
        soon.out,
        /WARNING - hello: the certificate of the server \(CN=soon\) ends on \d{4}-\d\d-\d\d, in 2 days \| .* certificate=\d+s;1209600:;0:;;\n$/,
      );
      const url = `${at}/hello`;
      const good = await tcpmux(["probe", url, "--warn-expiry", "2", ...CA]);
      assertEquals(good.code, 0, good.out);
      assertMatch(
        good.out,
        /OK - hello answered in \S+ s by TLSv1\.3 \(\S+\) with CN=soon, until/,
      );
      const json = await tcpmux(["probe", at, "--json", ...CA]);
      assertEquals(json.code, 1);
      const [{ tls, error }] = JSON.parse(json.out).services;
      assertEquals([tls.protocol, tls.server.subject], ["TLSv1.3", "CN=soon"]);
      assertMatch(error, /ends on/);
    }, "soon"));

  test("probe is CRITICAL for one that has expired", () =>
    withTls(async (port) => {
      const words = ["probe", `tcpmuxs://127.0.0.1:${port}`, "hello", ...CA];
      const { code, out } = await tcpmux(words);
      assertEquals(code, 2);
      assertMatch(
        out,
        /CRITICAL - hello: the certificate of .* has expired on/,
      );
    }, "expired"));

  test("forward and proxy lead to a server by TLS", () =>
    withTls(async (port) => {
      const at = `127.0.0.1:${port}`;
      await withCommand(
        () => ["forward", "0=hello", at, ...CA, "--json"],
        async (command) => {
          const { forwards } = await command.ready<
            { forwards: { listen: string }[] }
          >();
          const conn = await connectTo(portOf(forwards[0]!.listen));
          assertEquals(await readAll(conn), "hello over TLS\n");
          conn.close();
        },
      );
      await writeFile(
        file("forwards.toml"),
        `[forward.hello]
listen = "0"
server = "tcpmuxs://${at}"
tls = { ca = "ca.crt" }
`,
      );
      await withCommand(
        () => [
          "forward",
          ...["--config", file("forwards.toml"), "--no-strict-modes"],
          "--json",
        ],
        async (command) => {
          const { forwards } = await command.ready<
            { forwards: { listen: string }[] }
          >();
          const conn = await connectTo(portOf(forwards[0]!.listen));
          assertEquals(await readAll(conn), "hello over TLS\n");
          conn.close();
        },
      );
      await withCommand(
        () => ["proxy", "0", `tcpmuxs://${at}`, ...CA, "--json"],
        async (command) => {
          const { listen } = await command.ready<{ listen: string }>();
          const conn = await connectTo(portOf(listen));
          await conn.write(
            bytes("CONNECT hello:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
          );
          assertMatch(
            await readAll(conn),
            /^HTTP\/1\.1 200 .*hello over TLS\n$/s,
          );
          conn.close();
        },
      );
    }));

  test("what contradicts itself is wrong usage", async () => {
    const rows: readonly (readonly [readonly string[], RegExp])[] = [
      [["connect", "h", "x", "--cert", "a"], /cert and key go together/],
      [["connect", "h", "x", "--pin", "abc"], /--pin: "abc" is not sha256/],
      [["connect", "tcpmux://h/x", "y"], /the URL names the service x already/],
      [["connect", "tcpmux://h"], /needs a server and a service/],
      [["list", "tcpmux://h/x"], /names a service, and list takes a server/],
      [["proxy", "0", "tcpmux://h/x"], /names a service, which is named apart/],
      [["forward", "--config=x", "--ca=y"], /--ca goes with a server on the/],
      [
        ["connect", "tcpmux://h/a%zz"],
        /a service stands in a URL as %-escapes/,
      ],
      [["connect", "tcpmux://u@h/a"], /a URL of TCPMUX has no user/],
      [["connect", "h", "x", "--server-name=a b"], /server's name is "a b"/],
      [
        ["list", "https://h"],
        /: its scheme is https:\/\/, and a TCPMUX server/,
      ],
      [
        ["list", "tls://h:1"],
        /: its scheme is tls:\/\/, .* or, for TLS, tcpmuxs/,
      ],
    ];
    for (const [words, message] of rows) {
      const { code, err } = await tcpmux(words);
      assertMatch(err, message);
      assertEquals(code, 64, words.join(" "));
    }
    const none = await tcpmux(["connect", "h", "x", "--ca", file("none")]);
    assertMatch(none.err, /cannot read .*none: no such file/);
    assertEquals(none.code, 74);
    assert(readFileSync(file("ca.crt"), "utf8").includes("CERTIFICATE"));
  });
});
