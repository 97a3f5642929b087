/** check says what clients would run into by [server.tls]. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { Authority } from "./support/certificates.ts";
import { tcpmux } from "./support/command.ts";
import { findProgram, needs } from "./support/needs.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-advice-"));
after(() => rmSync(folder, { recursive: true, force: true }));

async function make() {
  const ca = await Authority.make(folder);
  const names = "DNS:mux.example,DNS:*.mux.example";
  await ca.issue("good", { names, usage: "serverAuth" });
  await ca.issue("address", { names: "IP:127.0.0.1" });
  await ca.issue("nameless", {});
  await ca.issue("client", { names, usage: "clientAuth" });
}
if (findProgram("openssl") !== undefined) await make();

/** The warnings of check, each as its line, its key and what it says. */
async function warnings(
  name: string,
  more = "",
  listen = "tls://127.0.0.1:0",
): Promise<[number, string, string][]> {
  writeFileSync(
    join(folder, "t.toml"),
    `[server]
listen = "${listen}"
[server.tls]
cert = "${name}.crt"
key = "${name}.key"
${more}
[services.x]
text = ""
`,
  );
  const { code, out, err } = await tcpmux(["check", "t.toml", "--json"], {
    cwd: folder,
  });
  assertEquals([code, err], [0, ""], out);
  const { warnings } = JSON.parse(out) as {
    warnings: { line: number; key: string; message: string }[];
  };
  return warnings.map(({ line, key, message }) => [line, key, message]);
}

describe("check warns", needs("openssl"), () => {
  test("of nothing where all is right", async () => {
    assertEquals(await warnings("good", 'sni_names = ["mux.example"]'), []);
    assertEquals(await warnings("address"), []);
    assertEquals(await warnings("good", "", "tls-or-plain://127.0.0.1:0"), []);
  });

  test("of [server.tls] without an address that begins with tls://", async () => {
    const more = 'client_ca = "ca.crt"\nsni_names = true';
    const found = await warnings("good", more, "127.0.0.1:0");
    assertEquals(found.map(([line, key]) => [line, key]).toSorted(), [
      [3, "server.tls"],
      [6, "server.tls.client_ca"],
      [7, "server.tls.sni_names"],
    ]);
    for (const [, , message] of found) {
      assertMatch(message, /^has no effect: no address .* with tls:\/\//);
    }
  });

  test("of a certificate that clients refuse", async () => {
    const [nameless, ...others] = await warnings("nameless");
    assertEquals(others, []);
    assertEquals(nameless!.slice(0, 2), [4, "server.tls.cert"]);
    assertMatch(
      nameless![2],
      /^nameless\.crt is for no DNS name and no address/,
    );
    const more = '[[server.tls.certificates]]\ncert = "client.crt"\n' +
      'key = "client.key"';
    const [client, ...rest] = await warnings("good", more);
    assertEquals(rest, []);
    assertEquals(client!.slice(0, 2), [7, "server.tls.certificates[0].cert"]);
    assertMatch(client![2], /^client\.crt is not for servers/);
  });

  test("of a key that all users can read", async () => {
    const key = join(folder, "address.key");
    chmodSync(key, 0o640);
    assertEquals(await warnings("address"), []);
    chmodSync(key, 0o644);
    const [open, ...others] = await warnings("address");
    assertEquals(others, []);
    assertEquals(open!.slice(0, 2), [5, "server.tls.key"]);
    assertMatch(open![2], /address\.key can be read by all users \(chmod o= /);
    chmodSync(key, 0o600);
  });

  test("of a domain that no certificate is for", async () => {
    const more = 'sni_names = ["mux.example", "other.example"]';
    const [domain, ...others] = await warnings("good", more);
    assertEquals(others, []);
    assertEquals(domain!.slice(0, 2), [6, "server.tls.sni_names[1]"]);
    assertMatch(domain![2], /^no certificate has a name such as \*\.other/);
  });
});
