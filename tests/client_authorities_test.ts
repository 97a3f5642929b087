/** Which authorities stand above a client's certificate, and whose lists count. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { TcpmuxError } from "../src/errors.ts";
import { Authorities } from "../src/tls/authorities.ts";
import { ClientTrust } from "../src/tls/client_trust.ts";
import { certificatesIn } from "../src/tls/der.ts";
import { makeCertificate, makeIssuer } from "../src/tls/proof/made.ts";
import { RevocationLists } from "../src/tls/revocation.ts";
import { needs } from "./support/needs.ts";
import { mustRun } from "./support/run.ts";

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA = ["-newkey", "rsa:2048"];
const PSS = [
  ...["-sha256", "-sigopt", "rsa_padding_mode:pss"],
  ...["-sigopt", "rsa_pss_saltlen:32"],
];

interface Making {
  /** Who signs it; by default itself. */
  readonly by?: string;
  /** How openssl makes the key, or takes one. */
  readonly key?: readonly string[];
  /** How openssl signs it. */
  readonly way?: readonly string[];
  readonly subject?: string;
  /** The extensions, and the type of the strings in its name. */
  readonly kind?: "authority" | "client" | "printable";
}

/** Certificates and lists that openssl(1) makes in a folder. */
class Folder {
  readonly #path = mkdtempSync(join(tmpdir(), "tcpmux-authorities-"));

  remove(): void {
    rmSync(this.#path, { recursive: true, force: true });
  }

  file(name: string): string {
    return join(this.#path, name);
  }

  /** What stands in these files. */
  read(...names: string[]): string {
    return names.map((name) => readFileSync(this.file(name), "utf8")).join("");
  }

  key(name: string): string[] {
    return ["-key", this.file(`${name}.key`)];
  }

  async make(name: string, making: Making = {}): Promise<void> {
    const { by, key = EC, way = [], kind = "authority" } = making;
    const config = this.file(`${kind}.cnf`);
    await writeFile(
      config,
      `[req]
distinguished_name = none
x509_extensions = all
string_mask = ${kind === "printable" ? "default" : "utf8only"}
[none]
[all]
basicConstraints = critical, CA:${kind === "client" ? "false" : "true"}
`,
    );
    await mustRun([
      ...["openssl", "req", "-x509", "-nodes", "-days", "30"],
      ...["-config", config, "-subj", making.subject ?? `/CN=${name}`],
      ...[...key, ...way, "-out", this.file(`${name}.crt`)],
      ...(key[0] === "-key" ? [] : ["-keyout", this.file(`${name}.key`)]),
      ...(by === undefined ? [] : [
        ...["-CA", this.file(`${by}.crt`), "-CAkey", this.file(`${by}.key`)],
      ]),
    ]);
  }

  /** Writes the list of an authority, with those that it has revoked. */
  async list(
    name: string,
    revoked: readonly string[] = [],
    way: readonly string[] = [],
  ): Promise<void> {
    const config = this.file(`${name}.ca`);
    const database = this.file(`${name}.index`);
    await writeFile(database, "");
    await writeFile(
      config,
      `[own]\ndatabase = ${database}\ndefault_md = sha256\n`,
    );
    const ca = [
      ...["openssl", "ca", "-config", config, "-name", "own"],
      ...["-cert", this.file(`${name}.crt`)],
      ...["-keyfile", this.file(`${name}.key`)],
    ];
    for (const one of revoked) {
      await mustRun([...ca, "-revoke", this.file(`${one}.crt`)]);
    }
    const options = way.filter((word) => word !== "-sha256");
    const out = ["-crldays", "2", "-out", this.file(`${name}.crl`)];
    await mustRun([...ca, "-gencrl", ...options, ...out]);
  }

  authorities(...names: string[]): Authorities {
    return new Authorities(
      this.read(...names.map((one) => `${one}.crt`)),
      false,
    );
  }

  /** Why a client is refused that the runtime takes for good. */
  judge(
    client: string,
    authorities: Authorities,
    lists?: readonly string[],
  ): string | undefined {
    const read = lists && this.read(...lists.map((one) => `${one}.crl`));
    return reasonOf(
      this.read(`${client}.crt`),
      authorities,
      read === undefined ? undefined : new RevocationLists(read, authorities),
    );
  }
}

function reasonOf(
  pem: string,
  authorities: Authorities,
  lists?: RevocationLists,
  isTrusted = true,
): string | undefined {
  const [der] = certificatesIn(pem);
  const trust = new ClientTrust(true, authorities, lists);
  const found = { isTrusted, isDoubtful: false, verdict: "" };
  return trust.judge({ der: der!, ...found }).refusal?.reason;
}

describe("authorities of clients", needs("openssl"), () => {
  const folder = new Folder();
  after(() => folder.remove());

  /** A root that has signed an authority between and two clients. */
  async function line(key: readonly string[], way: readonly string[]) {
    await folder.make("root", { key, way });
    await folder.make("between", { by: "root", way });
    await folder.make("deep", { by: "between", kind: "client" });
    for (const name of ["good", "lost"]) {
      await folder.make(name, { by: "root", way, kind: "client" });
    }
  }

  const ways: [string, string[], string[]][] = [
    ["RSA-PSS", RSA, PSS],
    ["a key for RSA-PSS alone", ["-newkey", "rsa-pss"], PSS],
    ["Ed448", ["-newkey", "ed448"], []],
  ];
  for (const [what, key, way] of ways) {
    test(`that sign by ${what} revoke those between`, async () => {
      await line(key, way);
      if (what === "Ed448" && "Bun" in globalThis) {
        // Which knows no such key.
        assertThrows(
          () => folder.authorities("root", "between"),
          TcpmuxError,
          "has CN=between, which no CN=root there has signed in a way that is",
        );
        return;
      }
      await folder.list("root", ["lost"], way);
      await folder.list("between");
      const lists = ["root", "between"];
      const judge = (client: string) =>
        folder.judge(client, folder.authorities(...lists), lists);
      assertEquals(judge("deep"), undefined);
      assertEquals(judge("good"), undefined);
      assertEquals(judge("lost"), "certificate CN=lost is revoked");
      await folder.list("root", ["between"], way);
      assertEquals(
        judge("deep"),
        "certificate CN=deep is of CN=between, which is revoked",
      );
    });
  }

  const unknown: [string, string[]][] = [
    ["by SHA-1", ["-sha1"]],
    ["by RSA-PSS with SHA-1", ["-sha1", ...PSS.slice(1)]],
    ["by RSA-PSS with two digests", [...PSS, "-sigopt", "rsa_mgf1_md:sha512"]],
  ];
  for (const [what, way] of unknown) {
    test(`that are signed ${what} do not stand with who has signed them`, async () => {
      await line(RSA, way);
      assertThrows(
        () => folder.authorities("between", "root"),
        TcpmuxError,
        "has CN=between, which no CN=root there has signed in a way that is " +
          "known here (by RSA, RSA-PSS, ECDSA or EdDSA, with SHA-2)",
      );
      // Alone, each is the top of its line.
      assertEquals(folder.authorities("between").all.length, 1);
      const root = folder.authorities("root");
      assertEquals(root.all.length, 1);
      await folder.make("root", { key: folder.key("root") });
      await folder.list("root");
      assertEquals(
        folder.judge("good", folder.authorities("root"), ["root"]),
        "certificate CN=good is signed by CN=root in a way that is not known here",
      );
    });
  }

  test("have one name, however it is encoded", async () => {
    const names = ["/O=An  Example/CN=root", "/O=an example/CN=ROOT"];
    const [first, second] = names as [string, string];
    await folder.make("root", { kind: "printable", subject: first });
    await folder.make("between", { by: "root" });
    await folder.make("deep", { by: "between", kind: "client" });
    await folder.list("root", ["between"]);
    await folder.list("between");
    const key = folder.key("root");
    await folder.make("root2", { key, subject: second });
    const authorities = folder.authorities("root2", "between");
    assertEquals(
      folder.judge("deep", authorities, ["root", "between"]),
      "certificate CN=deep is of CN=between, which is revoked",
    );
  });

  test("may be renewed, and stand beside what they were", async () => {
    const subject = "/CN=root";
    await folder.make("old", { subject });
    const key = folder.key("old");
    await folder.make("new", { subject, key });
    await folder.make("good", { by: "old", kind: "client" });
    await folder.make("lost", { by: "old", kind: "client" });
    await folder.list("old", ["lost"]);
    for (const all of [["old", "new"], ["new", "old"]]) {
      const authorities = folder.authorities(...all);
      const judge = (client: string) =>
        folder.judge(client, authorities, ["old"]);
      assertEquals(judge("good"), undefined);
      assertEquals(judge("lost"), "certificate CN=lost is revoked");
    }
    // One that has ended says nothing against what it has signed.
    const own = ["-signkey", folder.file("old.key")];
    await mustRun([
      ...["openssl", "x509", "-in", folder.file("old.crt"), ...own],
      ...["-days", "-1", "-out", folder.file("ended.crt")],
    ]);
    const authorities = folder.authorities("ended", "new");
    assertMatch(authorities.all[0]!.outOfDate(Date.now())!, /^expired/);
    assertEquals(folder.judge("good", authorities, ["old"]), undefined);
    assertEquals(
      folder.judge("good", folder.authorities("ended"), ["old"])
        ?.replace(/ended at .*/, "ended"),
      "certificate CN=good is of CN=root, which is expired: it ended",
    );
  });

  test("that are malformed are errors of their file", async () => {
    await folder.make("root", {
      way: ["-addext", "basicConstraints=DER:30050101"],
      kind: "client",
    });
    assertThrows(
      () => folder.authorities("root"),
      TcpmuxError,
      "has a certificate that cannot be read",
    );
  });

  test("do not see clients with hundreds of names", async () => {
    await folder.make("root");
    const subject = "/OU=x".repeat(65);
    await folder.make("many", { by: "root", subject, kind: "client" });
    const root = folder.authorities("root");
    assertEquals(
      folder.judge("many", root),
      "the client's certificate is malformed: a name has more than 64 attributes",
    );
    const names = Array.from({ length: 257 }, (_, index) => `DNS:n${index}`);
    const way = ["-addext", `subjectAltName=${names.join(",")}`];
    await folder.make("many", { by: "root", way, kind: "client" });
    assertEquals(
      folder.judge("many", root),
      "certificate CN=many is with more than 256 alternative names",
    );
  });
});

test("the reason of a refusal has no name at its length", () => {
  const long = makeIssuer("\u3000".repeat(4_000));
  const { cert } = makeCertificate("\u3000".repeat(800), { issuer: long });
  const authorities = new Authorities(makeIssuer("ca").cert, false);
  const reason = reasonOf(cert, authorities, undefined, false)!;
  assertMatch(reason, /^certificate CN=.*… is signed by CN=.*…, which is not /);
  assert(reason.length <= 601, `it has ${reason.length} characters`);
});
