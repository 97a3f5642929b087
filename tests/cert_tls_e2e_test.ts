/** Mutual TLS by what `tcpmux cert` has made, between programs of others. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { type TestCa, withTestCa } from "./support/ca.ts";
import { blocksOf } from "./support/console_blocks.ts";
import { withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { follow, freePorts, here } from "./support/reader.ts";
import { run } from "./support/run.ts";
import { ROOT } from "./support/server.ts";
import { until } from "./support/wait.ts";

/** Runs `use` with the port of a server that obeys the CA and its list. */
async function withTlsServer(
  ca: TestCa,
  use: (port: string) => Promise<void>,
  ...options: string[]
): Promise<void> {
  const server: ChildProcess = spawn("openssl", [
    ...["s_server", "-accept", "127.0.0.1:0", "-www"],
    ...["-cert", "mux.example.crt", "-key", "mux.example.key"],
    ...["-CAfile", "ca.crt", "-CRL", "crl.pem", "-crl_check"],
    ...["-Verify", "1", "-verify_return_error", ...options],
  ], { cwd: ca.pki });
  const over = new Promise((resolve) => server.once("exit", resolve));
  let said = "";
  for (const stream of [server.stdout!, server.stderr!]) {
    stream.on("data", (bytes) => said += bytes);
  }
  try {
    const port = await until(
      () => `it listens: ${said}`,
      () => /^ACCEPT 127\.0\.0\.1:(\d+)/m.exec(said)?.[1],
    );
    await use(port);
  } finally {
    server.kill();
    await over;
  }
}

/** What a client gets, or why not. */
async function answer(
  { pki }: TestCa,
  port: string,
  ...options: string[]
): Promise<string> {
  const file = (name: string) => join(pki, name);
  const { stdout, stderr } = await run([
    ...["openssl", "s_client", "-quiet", "-connect", `127.0.0.1:${port}`],
    ...["-CAfile", file("ca.crt"), "-verify_hostname", "mux.example"],
    "-verify_return_error",
    ...options.map((word) => /\.(crt|key)$/.test(word) ? file(word) : word),
  ], { input: "GET / HTTP/1.0\r\n\r\n", timeout: 20_000 });
  return `${stdout}${stderr}`;
}

const OK = /^HTTP\/1\.0 200 ok/m;
const as = (name: string) => ["-cert", `${name}.crt`, "-key", `${name}.key`];

describe("mutual TLS", needs("openssl"), () => {
  test("lets in whom the CA has signed, and nobody else", () =>
    withTestCa(async (ca) => {
      await ca.mustCert(["init"]);
      await ca.mustCert(["issue", "mux.example", "--server"]);
      for (const name of ["alice", "bob"]) await ca.mustCert(["issue", name]);
      await withFolder(async (folder) => {
        const self = ["-x509", "-newkey", "ec", "-nodes", "-subj", "/CN=alice"];
        const made = await run([
          ...["openssl", "req", ...self, "-pkeyopt"],
          ...["ec_paramgen_curve:P-256", "-keyout", `${folder}/key`],
          ...["-out", `${folder}/cert`],
        ]);
        assertEquals(made.code, 0, made.stderr);
        const stranger = ["-cert", `${folder}/cert`, "-key", `${folder}/key`];
        await withTlsServer(ca, async (port) => {
          assertMatch(await answer(ca, port, ...as("alice")), OK);
          assertMatch(await answer(ca, port, ...as("bob")), OK);
          assertMatch(await answer(ca, port), /alert certificate required/);
          assertMatch(await answer(ca, port, ...stranger), /alert unknown ca/);
          const server = await answer(ca, port, ...as("mux.example"));
          assertMatch(server, /alert (unsupported certificate|unknown)/);
        });
      });
      await ca.mustCert(["revoke", "bob"]);
      await withTlsServer(ca, async (port) => {
        assertMatch(await answer(ca, port, ...as("alice")), OK);
        const bob = await answer(ca, port, ...as("bob"));
        assertMatch(bob, /alert certificate revoked/);
      });
    }));

  test("ends with the certificate", () =>
    withTestCa(async (ca) => {
      await ca.mustCert(["init"]);
      await ca.mustCert(["issue", "mux.example", "--server"]);
      await ca.mustCert(["issue", "alice", "--days", "2"]);
      const inDays = (days: number) =>
        String(Math.floor(Date.now() / 1000) + days * 86_400);
      await withTlsServer(ca, async (port) => {
        assertMatch(await answer(ca, port, ...as("alice")), OK);
      }, ...["-attime", inDays(1)]);
      await withTlsServer(ca, async (port) => {
        const late = await answer(ca, port, ...as("alice"));
        assertMatch(late, /alert certificate expired/);
      }, ...["-attime", inDays(3)]);
    }));
});

for (
  const [title, ...programs] of [
    ["A CA of your own in five minutes", "openssl"],
    ["Clients by certificate", "openssl", "gnutls-cli"],
    ["TLS from the client", "openssl"],
  ]
) {
  test(
    `docs/trust.md: ${title}`,
    needs(...programs),
    () =>
      withFolder(async (cwd) => {
        const guide = readFileSync(join(ROOT, "docs", "trust.md"), "utf8");
        const section = guide.split(/^(?=## )/m)
          .find((one) => one.startsWith(`## ${title}\n`))!;
        const blocks = blocksOf(here(section, await freePorts("10001")));
        const [table, aliases] = blocks.filter(({ language }) =>
          language === "toml"
        );
        if (table !== undefined) {
          writeFileSync(join(cwd, "services.toml"), table.text);
        }
        const config = join(cwd, ".config");
        mkdirSync(join(config, "tcpmux"), { recursive: true });
        if (aliases !== undefined) {
          writeFileSync(join(config, "tcpmux", "config.toml"), aliases.text);
        }
        const mux = "mux.example"; // which is no host here: it is a name only
        await follow(blocks, { cwd, mux, env: { XDG_CONFIG_HOME: config } });
      }),
  );
}
