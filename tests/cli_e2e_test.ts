import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { COMMANDS } from "../src/cli/spec.ts";
import { tcpmux } from "./support/command.ts";
import { ROOT } from "./support/server.ts";

const folder = mkdtempSync(join(tmpdir(), "tcpmux-cli-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("the command line", () => {
  test("--version is that of package.json", async () => {
    const { version } = JSON.parse(
      readFileSync(join(ROOT, "package.json"), "utf8"),
    );
    const { code, out } = await tcpmux(["--version"]);
    assertEquals([code, out], [0, `tcpmux ${version}\n`]);
  });

  test("--licenses has the terms of all that is in the program", async () => {
    const { code, out } = await tcpmux(["--licenses"]);
    const text = readFileSync(join(ROOT, "THIRD_PARTY.md"), "utf8");
    assertEquals([code, out], [0, text]);
    for (const holder of [/Fabian Hiller/, /Minhee/, /the Deno authors/]) {
      assertMatch(out, holder);
    }
  });

  test("--help goes to standard output, for each command", async () => {
    const each = COMMANDS.map(({ name }) => [name, "--help"]);
    for (const words of [["--help"], ["-h"], ["check", "-h"], ...each]) {
      const { code, out, err } = await tcpmux(words);
      assertEquals([code, err], [0, ""]);
      assertMatch(out, /Usage: tcpmux/);
    }
  });

  for (
    const [words, says] of [
      [["--lisen", "x"], /unknown flag --lisen: did you mean --listen\?/],
      [["srve"], /unknown command srve: did you mean serve\?/],
      [["conect"], /unknown command conect: did you mean connect\?/],
      [["constructor"], /unknown command constructor; the commands are serve,/],
      [["--verison"], /unknown flag --verison: did you mean --version\?/],
      [["version"], /unknown command version: did you mean --version\?/],
      [["-v"], /unknown flag -v: did you mean --version\?/],
      [["list", "localhost", "1078"], /"1078": did you mean localhost:1078\?/],
      [["-p", "1078"], /flag -p: did you mean --listen HOST:PORT\?/],
      [["a.toml"], /unknown command a\.toml: did you mean --config a\.toml\?/],
      [["--listen"], /--listen needs a value/],
      [["--listen", "nowhere"], /--listen: "nowhere" is not an address/],
      [["--log-level", "loud"], /--log-level is "loud"; allowed: one of debug/],
      [["serve", "extra"], /unexpected argument "extra" \(see --help\)/],
      [["serve", "a.toml"], /"a\.toml": did you mean --config a\.toml\?/],
      [["check", "a.toml", "b.toml"], /unexpected argument "b\.toml" \(/],
    ] as [string[], RegExp][]
  ) {
    test(`tcpmux ${words.join(" ")} exits 64 and says why`, async () => {
      const { code, out, err } = await tcpmux(words);
      assertEquals([code, out], [64, ""]);
      assertMatch(err, says);
      assertMatch(err, /^tcpmux: [^\n]+\n$/);
    });
  }

  test("a wrong table exits 78 with every error, and binds nothing", async () => {
    const table = file(
      "wrong.toml",
      `[server]\nlisten = "127.0.0.1:1"\nfrob = 1\n[services.a]\nexec = "x"\n`,
    );
    const { code, err } = await tcpmux(["-c", table]);
    assertEquals(code, 78);
    assert(err.includes(`${table}:3: server.frob: `), err);
    assert(err.includes(`${table}:5: services.a.exec: `), err);
    assert(!err.includes("listening"), err);
  });

  test("a table that is not there exits 78", async () => {
    const { code, err } = await tcpmux(["-c", join(folder, "none.toml")]);
    assertEquals(code, 78);
    assertMatch(err, /^tcpmux: .*none\.toml: cannot be read: no such file\n$/);
  });

  test("a table without services is wrong, as a file cut short is", async () => {
    const { code, err } = await tcpmux(["check", file("empty.toml", "")]);
    assertEquals(code, 78);
    assertMatch(err, /empty\.toml: services: is empty; needed: at least one/);
  });

  test("check says where a user that there is not stands", async () => {
    const table = file(
      "user.toml",
      `[services.a]\nexec = ["/bin/true"]\nuser = "no-such-user"\n`,
    );
    const { code, err } = await tcpmux(["check", table]);
    assertEquals(code, 78);
    assertMatch(err, /user\.toml:3: services\.a\.user: there is no user/);
  });

  test("check finds nothing wrong with the embedded table", async () => {
    const { code, out, err } = await tcpmux(["check"]);
    // Another test may be listening on port 1 at the moment.
    const lines = err.split("\n").filter((line) =>
      line !== "" && !line.includes("is in use (")
    );
    assertEquals([code, lines], [0, []]);
    assertMatch(out, /^services\.toml \(embedded\): 7 services, no errors/);
  });

  test("check --json gives errors and warnings as data", async () => {
    const good = file(
      "warn.toml",
      `server.listen = "127.0.0.1:0"\n[services.a]\nexec = ["/no/such"]\n`,
    );
    const warned = await tcpmux(["check", "--json", good]);
    assertEquals(warned.code, 0);
    const { ok, warnings } = JSON.parse(warned.out);
    assertEquals(ok, true);
    assertEquals(warnings[0].key, "services.a.exec");
    const bad = file("bad.toml", "\n[services.a]\n");
    const found = await tcpmux(["check", "--json", bad]);
    assertEquals(found.code, 78);
    const { errors } = JSON.parse(found.out);
    assertEquals([errors[0].line, errors[0].key], [2, "services.a"]);
    const none = await tcpmux(["check", "--json", join(folder, "none")]);
    assertEquals([none.code, JSON.parse(none.out).ok], [78, false]);
  });

  test("a taken port is one sentence with the cure, exit 74", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    try {
      const { code, err } = await tcpmux(["-l", `127.0.0.1:${port}`]);
      assertEquals(code, 74);
      assertMatch(err, /^tcpmux: cannot listen on .*already in use.*ss -ltnp/);
      assertEquals(err.trimEnd().split("\n").length, 1);
    } finally {
      server.close();
    }
  });

  test("flags may stand in the environment", async () => {
    const { code, err } = await tcpmux([], {
      env: { TCPMUX_LOG_LEVEL: "loud" },
    });
    assertEquals(code, 64);
    assertMatch(err, /TCPMUX_LOG_LEVEL is "loud"/);
  });

  test("check takes one table; that of the environment is no second", async () => {
    const [one, other] = ["one.toml", "other.toml"].map((name) =>
      file(name, '[services.a]\ntext = ""\n')
    );
    const { code, err } = await tcpmux(["check", one!, "-c", other!]);
    assertEquals(code, 64);
    assertMatch(err, /one table, not both \S*one\.toml and \S*other\.toml/);
    assertEquals((await tcpmux(["check", one!, "-c", one!])).code, 0);
    const env = { TCPMUX_CONFIG: other! };
    const { out } = await tcpmux(["check", one!], { env });
    assertMatch(out, /^\S*one\.toml: 1 service/);
    assertMatch((await tcpmux(["check"], { env })).out, /^\S*other\.toml: /);
  });

  test("what is wrong with --listen is said of it, not of the table", async () => {
    const table = file(
      "listen.toml",
      '[server]\nlisten = "127.0.0.1:0"\n[services.a]\ntext = ""\n',
    );
    const serve = ["serve", "-c", table];
    const tls = await tcpmux([...serve, "--listen", "tls://127.0.0.1:0"]);
    assertEquals(tls.code, 78);
    assertMatch(tls.err, /^--listen: tls:\/\/ needs \[server\.tls\]/);
    const env = { TCPMUX_LISTEN: "proxy://127.0.0.1:0" };
    const proxied = await tcpmux(serve, { env });
    assertEquals(proxied.code, 78);
    assertMatch(proxied.err, /^TCPMUX_LISTEN: has proxy:\/\/127\.0\.0\.1:0/);
    const wrong = await tcpmux(serve, { env: { TCPMUX_LISTEN: "nowhere" } });
    assertMatch(
      wrong.err,
      /^tcpmux: TCPMUX_LISTEN: "nowhere" is not an address/,
    );
  });
});
