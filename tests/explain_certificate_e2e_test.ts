/** explain says of a client's certificate what the server would say. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Authority, selfSigned } from "./support/certificates.ts";
import { tcpmux } from "./support/command.ts";
import { findProgram, needs } from "./support/needs.ts";
import { programUnderTest, withServer } from "./support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-explain-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const usage = "clientAuth";

async function make() {
  const ca = await Authority.make(folder);
  const other = await Authority.make(folder, "other");
  const between = await Authority.make(folder, "between", ca);
  await ca.issue("server", { names: "DNS:localhost,IP:127.0.0.1" });
  await ca.issue("alice", {
    usage,
    subject: "/OU=field/CN=alice",
    names: "DNS:a.dev.example",
  });
  await ca.issue("serves", { usage: "serverAuth" });
  await ca.issue("old", { usage, days: -1 });
  await other.issue("stranger", { usage });
  await selfSigned(folder, "self");
  const deep = await between.issue("deep", { usage });
  const chain = [deep.cert, between.cert].map((one) => readFileSync(one));
  writeFileSync(file("chain.crt"), chain.join(""));
  writeFileSync(file("chain.key"), readFileSync(deep.key));
  await ca.revoke(await ca.issue("carol", { usage }));
}
if (findProgram("openssl") !== undefined) await make();

const SERVICES = `[services.field]
text = ""
allow_certificate = ["CN=bob",
  "SAN:dns:*.dev.example"]
[services.office]
text = ""
allow_certificate = ["OU=office"]
[services.open]
text = ""
`;

const tableOf = (listen: string, more = 'client_ca = "ca.crt"') =>
  `[server]
listen = [${listen}]
[server.tls]
cert = "server.crt"
key = "server.key"
${more}
${SERVICES}`;

/** What explain says of that table; each word of `words` is one. */
function explained(table: string, words: string) {
  writeFileSync(file("t.toml"), table);
  return tcpmux(
    ["explain", "-c", "t.toml", ...words.split(" "), "--from", "::1"],
    { cwd: folder },
  );
}

const TLS = tableOf('"tls://127.0.0.1:0"');
const WITH_LIST = tableOf(
  '"tls://127.0.0.1:0"',
  'client_ca = "ca.crt"\ncrl = "ca.crl"',
);

describe("explain with a certificate", needs("openssl"), () => {
  test("says what it may use, and by which name", async () => {
    const field = await explained(TLS, "field --certificate alice.crt");
    assertEquals(field.code, 0, field.err);
    assertMatch(
      field.out,
      /^certificate +CN=alice,OU=field; dns:a\.dev\.example$/m,
    );
    assertMatch(
      field.out,
      /^service certificate +lets in: allow_certificate has "SAN:dns:\*\.dev\.example" \(t\.toml:10\)$/m,
    );
    const office = await explained(TLS, "office --certificate alice.crt");
    assertEquals(office.code, 69);
    assertMatch(
      office.out,
      /^service certificate +keeps out: .* has none of its names \(t\.toml:13\)$/m,
    );
    const help = await explained(TLS, "HELP --certificate alice.crt");
    assertMatch(help.out, /^field +is listed$/m);
    assertMatch(help.out, /^office +is not listed: .*none of the names/m);
    const wrong = await explained(TLS, "field --certificate t.toml");
    assertEquals(wrong.code, 74);
    assertMatch(wrong.err, /t\.toml: it does not begin with a certificate/);
  });

  const bad: [string, RegExp][] = [
    ["serves", /CN=serves is not for clients;/],
    ["old", /CN=old is expired: /],
    [
      "stranger",
      /CN=stranger is signed by CN=other, which is not in client_ca/,
    ],
    ["self", /CN=self is signed by itself/],
    ["carol", /CN=carol is revoked/],
  ];
  test("agrees with the server", () =>
    withServer(
      WITH_LIST.replaceAll(/"([a-z]+\.[a-z]+)"/g, `"${folder}/$1"`),
      async (server) => {
        const names = ["alice", ...bad.map(([name]) => name)];
        for (const name of names) {
          const asked = await tcpmux([
            ...["connect", `tcpmuxs://127.0.0.1:${server.port}`, "open"],
            ...["--ca", file("ca.crt"), "--cert", file(`${name}.crt`)],
            ...["--key", file(`${name}.key`)],
          ]);
          const words = `open --certificate ${name}.crt`;
          const { code, out } = await explained(WITH_LIST, words);
          // A client's own code for a refused certificate is 77.
          const wanted = asked.code === 77 ? 69 : asked.code;
          assertEquals(code, wanted, `${name}: ${out}${asked.err}`);
        }
      },
      { args: ["--listen", "tls://127.0.0.1:0"] },
    ));

  for (const [name, why] of bad) {
    test(`of ${name} says why it is refused, and no more`, async () => {
      const words = `open --certificate ${name}.crt`;
      const { code, out } = await explained(WITH_LIST, words);
      assertEquals(code, 69);
      assertMatch(out, why);
      assertMatch(
        out,
        /^open +refused \(denied\): certificate .*; the client reads -Certificate refused$/m,
      );
      assert(!/lets in|for all/.test(out), out);
    });
  }

  test("judges it at that time", async () => {
    const words = "open --certificate alice.crt --at 2099-01-01";
    const { code, out } = await explained(TLS, words);
    assertEquals(code, 69);
    assertMatch(out, /CN=alice,OU=field is expired/);
  });

  test("takes one that is shown along, where runtimes do", async () => {
    const words = "open --certificate chain.crt";
    const { code, out } = await explained(TLS, words);
    const isOnDeno = basename(programUnderTest()[0]!) === "deno";
    assertEquals(code, isOnDeno ? 69 : 0, out);
    const listed = await explained(WITH_LIST, words);
    assertEquals(listed.code, 69);
  });

  test("says that one is required", async () => {
    const alone = await explained(TLS, "open");
    assertEquals(alone.code, 69);
    assertMatch(alone.out, /^open +refused .* reads -Certificate required$/m);
    assertMatch(
      alone.out,
      /^certificate +none is shown, and one is required \(t\.toml:6\)$/m,
    );
    assert(!/access/.test(alone.out), alone.out);
    const either = tableOf('"tls://127.0.0.1:0", "127.0.0.1:0"');
    const beside = await explained(either, "open");
    assertEquals(beside.code, 0);
    assertMatch(
      beside.out,
      /^certificate +none .* required by TLS at tls:\/\/127\.0\.0\.1:0, where .* refused \(t\.toml:6\)$/m,
    );
    const field = await explained(either, "field");
    assertEquals(field.code, 69);
    assertMatch(field.out, /keeps out: the client shows no certificate/);
    const optional = await explained(
      tableOf(
        '"tls://127.0.0.1:0"',
        'client_ca = "ca.crt"\nclient_certificate = "optional"',
      ),
      "open",
    );
    assertEquals(optional.code, 0, optional.out);
  });

  test("says that nobody asks for it", async () => {
    const table = tableOf('"tls://127.0.0.1:0"', "")
      .replaceAll(/^allow_certificate.*\n( .*\n)?/gm, "");
    const { code, out } = await explained(table, "open --certificate self.crt");
    assertEquals(code, 0);
    assertMatch(out, /^certificate +CN=self is not asked for: /m);
  });

  test("says what it could not check, and why", async () => {
    const unread = tableOf(
      '"tls://127.0.0.1:0"',
      'client_ca = "nowhere.crt"\ncrl = "ca.crl"',
    );
    const words = "open --certificate stranger.crt";
    const { code, out } = await explained(unread, words);
    assertEquals(code, 0, out);
    assertMatch(
      out,
      /^not checked +who has signed the .*, and whether they are revoked: .*nowhere\.crt: no such file .* \(t\.toml:6\)$/m,
    );
    const serves = "open --certificate serves.crt";
    assertEquals((await explained(unread, serves)).code, 69);
    const noList = tableOf(
      '"tls://127.0.0.1:0"',
      'client_ca = "ca.crt"\ncrl = "nowhere.crl"',
    );
    const carol = await explained(noList, "open --certificate carol.crt");
    assertEquals(carol.code, 0);
    assertMatch(carol.out, /^not checked +whether .* are revoked: /m);
    assertEquals((await explained(noList, words)).code, 69);
  });

  test("refuses files that do not fit", async () => {
    const table = TLS.replace("server.key", "alice.key");
    const { code, err } = await explained(table, "open");
    assertEquals(code, 78);
    assertMatch(
      err,
      /:5: server\.tls\.key: .* is not the key of the certificate/,
    );
    const upstream = TLS.replace(
      /\[services\.open\]\ntext = ""/,
      '[services.open]\nconnect = "127.0.0.1:1"\n' +
        'tls = { cert = "alice.crt", key = "old.key" }',
    );
    const open = await explained(upstream, "open");
    assertEquals(open.code, 78);
    assertMatch(open.err, /services\.open\.tls\.key: .* is not the key of/);
  });
});
