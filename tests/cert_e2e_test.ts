/** `tcpmux cert`: what it makes is what openssl(1) takes. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type TestCa, withTestCa } from "./support/ca.ts";
import { needs } from "./support/needs.ts";

const NOT_FOR_THIS = /unsuit\w+ certificate purpose/;

/** What openssl(1) prints of a certificate: names, usages and the key. */
async function shown(ca: TestCa, name: string): Promise<string> {
  const words = ["x509", "-in", `${name}.crt`, "-noout", "-text"];
  const { code, out } = await ca.openssl(...words);
  assertEquals(code, 0);
  return out;
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

function read(ca: TestCa, name: string): string {
  return readFileSync(join(ca.pki, name), "utf8");
}

describe("tcpmux cert", needs("openssl"), () => {
  test("makes a CA, a server and a client that openssl(1) trusts", () =>
    withTestCa(async (ca) => {
      assertMatch(
        await ca.mustCert(["init"]),
        /^pki\/ca\.key, pki\/ca\.crt: ca tcpmux CA [0-9a-f]{8}, until \d{4}-/,
      );
      assertMatch(
        await ca.mustCert(["issue", "mux.example", "--server"]),
        /^pki\/mux\.example\.key, pki\/mux\.example\.crt: server mux\.example \(dns:mux\.example\), until /,
      );
      await ca.mustCert(["issue", "alice"]);
      const [server, client] = ["mux.example.crt", "alice.crt"];
      for (
        const [file, purpose] of [
          [server, "sslserver"],
          [client, "sslclient"],
        ] as const
      ) {
        assertEquals(await ca.verify(file, "-purpose", purpose), "");
      }
      const host = ["-purpose", "sslserver", "-verify_hostname"];
      assertEquals(await ca.verify(server, ...host, "mux.example"), "");
      assertMatch(await ca.verify(server, ...host, "other"), /mismatch/);
      assertMatch(
        await ca.verify(server, "-purpose", "sslclient"),
        NOT_FOR_THIS,
      );
      assertMatch(
        await ca.verify(client, "-purpose", "sslserver"),
        NOT_FOR_THIS,
      );
      for (const name of ["ca", "mux.example", "alice"]) {
        assertMatch(await shown(ca, name), /ASN1 OID: prime256v1/);
        const { out } = await ca.openssl(
          ...["pkey", "-in", `${name}.key`, "-pubout"],
        );
        const { out: pub } = await ca.openssl(
          ...["x509", "-in", `${name}.crt`, "-noout", "-pubkey"],
        );
        assertEquals(out, pub);
      }
    }));

  test("keeps keys to their owner, and leaves nothing else behind", () =>
    withTestCa(async (ca) => {
      await ca.mustCert(["init"]);
      await ca.mustCert(["issue", "alice"]);
      await ca.mustCert(["renew", "alice"]);
      assertEquals(modeOf(ca.pki), 0o700);
      const files = readdirSync(ca.pki).sort();
      assertEquals(files, [
        ...["alice.crt", "alice.key", "ca.crt", "ca.key"],
        ...["certs", "crl.pem", "index.txt"],
      ]);
      for (const file of files.filter((name) => name !== "certs")) {
        const mode = file.endsWith(".key") ? 0o600 : 0o644;
        assertEquals(modeOf(join(ca.pki, file)), mode, file);
      }
      const serials = readdirSync(join(ca.pki, "certs"));
      assertEquals(serials.length, 2);
      for (const name of serials) assertMatch(name, /^[0-9A-F]{36,40}\.pem$/);
    }));

  test("puts names of all kinds into a certificate", () =>
    withTestCa(async (ca) => {
      await ca.mustCert(["init"]);
      const names = [
        ...["dns:*.dev.example", "dns:db", "ip:192.0.2.1", "ip:2001:db8::1"],
        "uri:spiffe://fleet/a,DNS:evil$x#y",
        "email:root@mux.example",
      ];
      const words = names.flatMap((name) => ["--san", name]);
      await ca.mustCert(["issue", "many", "--server", ...words]);
      const text = await shown(ca, "many");
      for (
        const name of [
          ...["DNS:*.dev.example", "DNS:db", "IP Address:192.0.2.1"],
          "IP Address:2001:DB8:0:0:0:0:0:1",
          "URI:spiffe://fleet/a,DNS:evil$x#y",
          "email:root@mux.example",
        ]
      ) {
        assert(text.includes(name), `${name} is not in ${text}`);
      }
      const [, listed] = await ca.list();
      assertEquals(listed!["san"], names);
      await ca.mustCert(["issue", "192.0.2.9", "--server"]);
      assertEquals((await ca.list())[2]!["san"], ["ip:192.0.2.9"]);
      await ca.mustCert(["issue", "a_b@c"]);
      assertEquals((await ca.list())[3]!["san"], []);
    }));

  test("renews with another key and all that the old one said", () =>
    withTestCa(async (ca) => {
      await ca.mustCert(["init"]);
      const words = ["--server", "--san", "dns:x", "--san", "ip:192.0.2.1"];
      await ca.mustCert(["issue", "x", ...words, "--days", "20"]);
      const [key, old] = [read(ca, "x.key"), read(ca, "x.crt")];
      const [, first] = await ca.list();
      assertEquals(first!["state"], "expiring");
      await ca.mustCert(["renew", "x"]);
      assert(read(ca, "x.key") !== key);
      const [, before, now] = await ca.list();
      assertEquals([before!["serial"], before!["state"]], [
        first!["serial"],
        "renewed",
      ]);
      assertEquals(
        [now!["san"], now!["kind"], now!["state"]],
        [["dns:x", "ip:192.0.2.1"], "server", "valid"],
      );
      writeFileSync(join(ca.pki, "old.crt"), old);
      for (const file of ["old.crt", "x.crt"]) {
        assertEquals(await ca.verify(file, "-purpose", "sslserver"), "");
      }
    }));

  test("revokes all certificates of a name, and no other's", () =>
    withTestCa(async (ca) => {
      await ca.mustCert(["init"]);
      await ca.mustCert(["issue", "alice"]);
      await ca.mustCert(["issue", "bob"]);
      writeFileSync(join(ca.pki, "old.crt"), read(ca, "alice.crt"));
      await ca.mustCert(["renew", "alice"]);
      assertEquals(
        await ca.mustCert(["revoke", "alice", "--reason", "keyCompromise"]),
        "pki/crl.pem: revokes 2 certificates of alice\n",
      );
      for (const file of ["old.crt", "alice.crt"]) {
        assertMatch(await ca.verify(file), /certificate revoked/);
      }
      assertEquals(await ca.verify("bob.crt"), "");
      const { out } = await ca.openssl(
        ...["crl", "-in", "crl.pem", "-noout", "-text"],
      );
      assertEquals([...out.matchAll(/Key Compromise/g)].length, 2);
      const [, bob, alice] = (await ca.list()).toSorted((a, b) =>
        String(b["name"]).localeCompare(String(a["name"]))
      );
      assertEquals([bob!["name"], bob!["state"]], ["bob", "valid"]);
      assertEquals(
        [alice!["name"], alice!["state"], alice!["reason"]],
        ["alice", "revoked", "keyCompromise"],
      );
      for (const action of ["renew", "revoke"]) {
        const { code, err } = await ca.cert([action, "alice"]);
        assertEquals(code, 69);
        assertMatch(err, /alice was revoked \(tcpmux cert issue alice makes/);
      }
      await ca.mustCert(["issue", "alice"]);
      assertEquals(await ca.verify("alice.crt"), "");
      await ca.mustCert(["revoke", "bob"]);
      assertEquals(await ca.verify("alice.crt"), "");
      assertMatch(await ca.verify("bob.crt"), /certificate revoked/);
      assertMatch(await ca.verify("old.crt"), /certificate revoked/);
    }));

  test("makes a list of revoked ones that lasts as long as the CA", () =>
    withTestCa(async (ca) => {
      await ca.mustCert(["init", "--days", "1000"]);
      await ca.mustCert(["issue", "alice", "--days", "999999"]);
      const end = async (...words: string[]) =>
        (await ca.openssl(...words)).out.trim().split("=")[1];
      const ofCa = await end("x509", "-in", "ca.crt", "-noout", "-enddate");
      assertEquals(
        await end("crl", "-in", "crl.pem", "-noout", "-nextupdate"),
        ofCa,
      );
      assertEquals(
        await end("x509", "-in", "alice.crt", "-noout", "-enddate"),
        ofCa,
      );
      const late = String(Date.now() / 1000 + 999 * 86_400).split(".")[0]!;
      assertEquals(await ca.verify("alice.crt", "-attime", late), "");
    }));

  test("lists what has ended, and what others have signed with its files", () =>
    withTestCa(async (ca) => {
      await ca.mustCert(["init"]);
      await ca.mustCert(["issue", "alice"]);
      const config = join(ca.folder, "by_hand.cnf");
      writeFileSync(
        config,
        `[ca]\ndefault_ca=a\n[a]\ncertificate=ca.crt\nprivate_key=ca.key\n` +
          `rand_serial=yes\ndatabase=index.txt\nnew_certs_dir=certs\ndefault_md=sha256\n` +
          `policy=p\nunique_subject=no\nx509_extensions=e\n` +
          `[p]\ncommonName=supplied\n[e]\nextendedKeyUsage=clientAuth\n` +
          `[req]\ndistinguished_name=d\nstring_mask=utf8only\n[d]\n`,
      );
      const made = await ca.openssl(
        ...["req", "-new", "-key", "alice.key", "-subj", "/CN=ended"],
        ...["-config", config, "-out", "../request.pem"],
      );
      assertEquals(made.code, 0, made.err);
      const { code, err } = await ca.openssl(
        ...["ca", "-config", config, "-batch", "-notext"],
        ...["-in", "../request.pem", "-out", "ended.crt"],
        ...["-startdate", "20250101000000Z", "-enddate", "20250201000000Z"],
      );
      assertEquals(code, 0, err);
      const out = await ca.mustCert(["list"]);
      assertMatch(out, /^NAME +KIND +STATE +UNTIL +SERIAL +SAN\n/);
      assertMatch(out, /^tcpmux CA \w{8} +ca +valid +/m);
      assertMatch(
        out,
        /^alice +client +valid +\d{4}-\d\d-\d\d +[0-9A-F]+ +-$/m,
      );
      assertMatch(out, /^ended +client +expired +2025-02-01 /m);
      const { code: exit, err: why } = await ca.cert(["issue", "ended"]);
      assertEquals(exit, 69);
      assertMatch(why, /ended has a certificate already \(tcpmux cert renew/);
      await ca.mustCert(["renew", "ended"]);
      assertEquals(await ca.verify("ended.crt"), "");
    }));
});
