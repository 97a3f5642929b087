/** A server proves that its runtime refuses bad certificates of clients. */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import { Authorities, Judged } from "../src/tls/authorities.ts";
import { ClientTrust } from "../src/tls/client_trust.ts";
import { blocksIn, certificatesIn } from "../src/tls/der.ts";
import { makeCertificate, makeIssuer } from "../src/tls/proof/made.ts";
import { proveRefusals } from "../src/tls/proof/prove.ts";
import { RevocationLists } from "../src/tls/revocation.ts";
import { acceptTls } from "../src/transport/net/tls/accept.ts";
import { pickTransport } from "../src/transport/pick.ts";
import { runCommand } from "./support/command.ts";
import { withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { mustRun } from "./support/run.ts";
import { programUnderTest } from "./support/server.ts";

const transport = await pickTransport();
const onDeno = transport.name === "deno"
  ? {}
  : { skip: "only Deno has permissions" };

/** Serves as a runtime would that finds this of a client's certificate. */
function finding(isTrusted: (shown: Judged) => boolean): typeof acceptTls {
  return (conn, hello, options, identify) =>
    acceptTls(conn, hello, options, (shown) =>
      identify!(
        shown && {
          ...shown,
          isTrusted: shown.isTrusted || isTrusted(new Judged(shown.der)),
        },
      ));
}

describe("the proof", () => {
  test("holds on this runtime", () => proveRefusals(transport));

  test("is about its own clients, whoever else connects", async () => {
    const strangers: Socket[] = [];
    const listen: typeof transport.listen = async (...given) => {
      const listener = await transport.listen(...given);
      const { endpoint } = listener;
      assert(endpoint.transport === "tcp");
      for (let i = 0; i < 2; i++) {
        const stranger = connect(endpoint.port, endpoint.host);
        stranger.on("error", () => {}); // it is dropped
        strangers.push(stranger);
        await once(stranger, "connect");
      }
      return listener;
    };
    try {
      await proveRefusals({ ...transport, listen });
    } finally {
      for (const stranger of strangers) stranger.destroy();
    }
  });

  test("fails where all certificates are taken for good", async () => {
    const error = await assertRejects(
      () => proveRefusals(transport, finding(() => true)),
      TcpmuxError,
    );
    assertEquals(error.code, "unsupported");
    assertMatch(
      error.message,
      /^cannot serve clients by .*, takes a certificate of another authority for a good one \(.*client_certificate = "none"/,
    );
  });

  test("fails where those are taken for good that have signed themselves", async () => {
    const isSelfSigned = (shown: Judged) => shown.issuer === shown.subject;
    const error = await assertRejects(
      () => proveRefusals(transport, finding(isSelfSigned)),
      TcpmuxError,
      "takes a certificate that has signed itself for a good one",
    );
    assertEquals(error.code, "unsupported");
  });

  test("says on Deno that it needs the network", onDeno, async () => {
    const { cert: ownCa } = makeIssuer("ca");
    for (const port of [":1", ":0"]) {
      const words = programUnderTest().flatMap((word) =>
        word === "-A"
          ? [`--allow-net=127.0.0.1${port}`, "--allow-read", "--no-prompt"]
          : word
      );
      assert(words.includes("--allow-read"), words.join(" "));
      await withFolder(async (folder) => {
        const table = join(folder, "t.toml");
        const files = { ...makeCertificate("server"), client_ca: ownCa };
        const lines = Object.entries(files).map(([key, pem]) => {
          writeFileSync(join(folder, key), pem);
          return `${key} = "${key}"\n`;
        });
        writeFileSync(
          table,
          `[server]\nlisten = "tls://127.0.0.1:0"\n[server.tls]
${lines.join("")}[services.a]\ntext = ""\n`,
        );
        const serve = [...words, "serve", "-c", table, "--no-strict-modes"];
        const { err } = await runCommand(serve);
        assertMatch(
          err,
          /cannot serve clients by .* permission denied \(it needs --allow-net, /,
        );
      });
    }
  });

  test("fails where clients are asked for no certificate", async () => {
    await assertRejects(
      () =>
        proveRefusals(
          transport,
          (conn, hello, options, identify) =>
            acceptTls(
              conn,
              hello,
              { ...options, clientCa: undefined },
              identify,
            ),
        ),
      TcpmuxError,
      "does not take a good certificate for a good one",
    );
  });
});

describe("what is checked besides", needs("openssl"), () => {
  const folder = mkdtempSync(join(tmpdir(), "tcpmux-proof-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string) => join(folder, name);
  const ders = (name: string) =>
    certificatesIn(readFileSync(file(name), "utf8"));

  /** An authority, the certificate that it has signed, and its list. */
  async function make(name: string, key: readonly string[], digest: string) {
    await writeFile(file("v3.ext"), "basicConstraints = CA:false\n");
    await writeFile(file(`${name}.index`), "");
    await writeFile(
      file(`${name}.cnf`),
      `[ca]\ndatabase = ${file(`${name}.index`)}\ndefault_md = ${digest}\n`,
    );
    const newKey = [...key, "-nodes", `-${digest}`];
    const ca = ["-keyout", file(`${name}.key`), "-out", file(`${name}.crt`)];
    const subject = ["-subj", `/CN=${name}`];
    await mustRun(
      ["openssl", "req", "-x509", ...newKey, ...ca, ...subject],
    );
    await mustRun([
      ...["openssl", "req", "-new", ...newKey, "-subj", "/CN=client"],
      ...["-keyout", file("client.key"), "-out", file("client.csr")],
    ]);
    const by = [file(`${name}.crt`), file(`${name}.key`)] as const;
    await mustRun([
      ...["openssl", "x509", "-req", "-in", file("client.csr"), "-CA", by[0]],
      ...["-CAkey", by[1], "-CAcreateserial", "-extfile", file("v3.ext")],
      ...[`-${digest}`, "-out", file(`${name}-client.crt`)],
    ]);
    const own = ["-cert", by[0], "-keyfile", by[1]];
    const list = ["openssl", "ca", "-config", file(`${name}.cnf`)];
    const named = [...list, "-name", "ca", ...own];
    await mustRun([...named, "-revoke", file(`${name}-client.crt`)]);
    await mustRun(
      [...named, "-gencrl", "-crldays", "2", "-out", file(`${name}.crl`)],
    );
  }

  const kinds: [string, string[], string][] = [
    ["rsa", ["-newkey", "rsa:2048"], "sha256"],
    ["rsa512", ["-newkey", "rsa:2048"], "sha512"],
    [
      "p384",
      ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
      "sha384",
    ],
    ["ed25519", ["-newkey", "ed25519"], "sha256"],
  ];
  for (const [name, key, digest] of kinds) {
    test(`knows what an authority has signed by ${name}`, async () => {
      await make(name, key, digest);
      const pem = readFileSync(file(`${name}.crt`), "utf8");
      const authorities = new Authorities(pem, false);
      const [der] = ders(`${name}-client.crt`);
      const client = new Judged(der!);
      const authority = authorities.issuerOf(client);
      assertEquals(authority, authorities.all[0]);
      const list = readFileSync(file(`${name}.crl`), "utf8");
      const lists = new RevocationLists(list, authorities);
      const now = Date.now();
      assertEquals(lists.against(client, authority!, now), "revoked");
      const later = now + 3 * 86_400_000;
      assertMatch(lists.against(client, authority!, later)!, /has ended$/);
      assertMatch(lists.ended(later)!, /list of CN=.*, which ended at/);
      // One bit of it, and nobody has signed it.
      const forged = der!.slice();
      forged[40]! ^= 1;
      assertEquals(issuerOf(authorities, forged), undefined);
      await make(name, key, digest); // another one of that name
      const [others] = ders(`${name}-client.crt`);
      assertEquals(issuerOf(authorities, others!), undefined);
      const otherList = readFileSync(file(`${name}.crl`), "utf8");
      assertThrows(
        () => new RevocationLists(otherList, authorities),
        TcpmuxError,
        "that no authority in client_ca has signed",
      );
    });
  }

  test("does not take a resumed session's word for a certificate", async () => {
    await make("one", kinds[2]![1], "sha384");
    await make("two", kinds[2]![1], "sha384");
    const pem = readFileSync(file("one.crt"), "utf8");
    const trust = new ClientTrust(true, new Authorities(pem, true), undefined);
    const judged = (name: string) => {
      const [der] = ders(`${name}-client.crt`);
      const found = { isTrusted: true, isDoubtful: true, verdict: "null" };
      return trust.judge({ der: der!, ...found });
    };
    assertEquals(judged("one").certificate?.subject, [
      { type: "CN", value: "client" },
    ]);
    assertMatch(
      judged("two").refusal!.reason,
      /^certificate CN=client is signed by CN=two, which is not in client_ca$/,
    );
  });

  test("reads a list of many, and none that lacks a byte", async () => {
    const [name, key, digest] = kinds.find(([name]) => name === "p384")!;
    await make(name, key, digest);
    // As openssl keeps what it has revoked, with the reason of every second.
    const lines = Array.from({ length: 12_000 }, (_, index) => {
      const serial = (0x4000_0000 + index).toString(16).toUpperCase();
      const reason = index % 2 === 0 ? ",keyCompromise" : "";
      const times = `300101000000Z\t260101000000Z${reason}`;
      return `R\t${times}\t${serial}\tunknown\t/CN=c${index}\n`;
    });
    await appendFile(file(`${name}.index`), lines.join(""));
    await mustRun([
      ...["openssl", "ca", "-config", file(`${name}.cnf`), "-name", "ca"],
      ...["-cert", file(`${name}.crt`), "-keyfile", file(`${name}.key`)],
      ...["-gencrl", "-crldays", "2", "-out", file("many.crl")],
    ]);
    const pem = readFileSync(file(`${name}.crt`), "utf8");
    const authorities = new Authorities(pem, false);
    const list = readFileSync(file("many.crl"), "utf8");
    const lists = new RevocationLists(list, authorities);
    const client = new Judged(ders(`${name}-client.crt`)[0]!);
    const [authority] = authorities.all;
    assertEquals(lists.against(client, authority!, Date.now()), "revoked");
    const [whole] = blocksIn(list, "X509 CRL");
    for (const length of [1, 2, 60, 5_000, whole!.length - 1]) {
      const cut = Buffer.from(whole!.subarray(0, length)).toString("base64");
      const pem = `-----BEGIN X509 CRL-----${cut}-----END X509 CRL-----`;
      assertThrows(
        () => new RevocationLists(pem, authorities),
        TcpmuxError,
        "has a list that cannot be read",
      );
    }
  });
});

function issuerOf(authorities: Authorities, der: Uint8Array) {
  return authorities.issuerOf(new Judged(der));
}
