/** What check warns of in programs, and that it is what serving does. */
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { exchange } from "./support/client.ts";
import { runCommand } from "./support/command.ts";
import { withFolder } from "./support/daemon.ts";
import { answer } from "./support/exec.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { programUnderTest, ROOT, withServer } from "./support/server.ts";

const REFUSED = /clients will be refused/;

/** A program that says its name. */
function writeProgram(folder: string, name: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), `#!/bin/sh\necho I am ${name}\n`, {
    mode: 0o755,
  });
}

/** What check says of a table, which may be wrong in nothing. */
async function warnings(
  table: string,
  { env = {}, words = programUnderTest() }: {
    env?: Record<string, string>;
    words?: readonly string[];
  } = {},
): Promise<string> {
  return await withFolder(async (folder) => {
    const file = join(folder, "t.toml");
    writeFileSync(file, table);
    const { code, err } = await runCommand([...words, "check", file], { env });
    assertEquals(code, 0, err);
    return err;
  });
}

describe("a program is looked for where it is started", () => {
  test("in the PATH of passenv, by check and by serve", () =>
    withFolder(async (folder) => {
      writeProgram(join(folder, "bin"), "ours");
      const table = `[services.x]\nexec = ["ours"]\npassenv = ["PATH"]\n`;
      const env = { PATH: `${join(folder, "bin")}:${process.env.PATH}` };
      assertEquals(REFUSED.test(await warnings(table, { env })), false);
      await withServer(table, async ({ port }) => {
        assertEquals(await answer(port, "x"), "I am ours\n");
      }, { env });
      assertMatch(
        await warnings(table.replace(`"PATH"`, "")),
        /cannot start ours: no such program in \/usr\/local\/sbin:/,
      );
    }));

  test("in cwd, if its path is relative", () =>
    withFolder(async (folder) => {
      writeProgram(join(folder, "bin"), "ours");
      const table = (name: string) =>
        `[services.x]\nexec = ["./bin/${name}"]\ncwd = "${folder}"\n`;
      assertEquals(REFUSED.test(await warnings(table("ours"))), false);
      await withServer(table("ours"), async ({ port }) => {
        assertEquals(await answer(port, "x"), "I am ours\n");
      });
      assertMatch(await warnings(table("none")), /bin\/none: no such program/);
    }));

  test("in the server's folder, if its path is relative and there is no cwd", async () => {
    const table = `[services.x]\nexec = ["./none"]\n`;
    const why = (folder: string) =>
      `cannot start ${folder}/none: no such program (a relative path starts ` +
      "at cwd, or else in the folder where the server was started)";
    const said = await warnings(table);
    assert(said.includes(`${why(process.cwd())}; clients will be`), said);
    await withServer(table, async (server, folder) => {
      await exchange(server.port, "x\r\n");
      const { reason } = await server.record("x");
      assertEquals(reason, why(realpathSync(folder)));
    });
  });

  test("and a folder that is not there is named", async () => {
    assertMatch(
      await warnings(`[services.x]\nexec = ["true"]\ncwd = "/no/such"\n`),
      /services\.x\.cwd: cannot start in \/no\/such: no such directory; clients/,
    );
  });
});

describe("check warns", () => {
  test("that process 1 gathers zombies", {
    skip: needs("unshare").skip ?? needsRoot().skip ?? false,
  }, async () => {
    const table = `[services.x]\nexec = ["true"]\n`;
    const first = ["unshare", "--pid", "--fork", "--kill-child"];
    const words = [...first, ...programUnderTest()];
    assertMatch(
      await warnings(table, { words }),
      /process 1.*docker run --init/,
    );
    assertEquals(/process 1/.test(await warnings(table)), false);
  });

  const apart = "each argument is a text of its own: ";
  const shell = (word: string, line: string) =>
    `no shell is used, which "${word}" needs: exec = ["sh", "-c", "${line}"]`;
  for (
    const [exec, ...says] of [
      [["df -h"], `${apart}["df", "-h"]`],
      [["df -h", "/x"], `${apart}["df", "-h", "/x"]`],
      [["df", "-h", "|", "head"], shell("|", "df -h | head")],
      [["df", ">", "/tmp/x"], shell(">", "df > /tmp/x")],
      [["df", "2>&1"], shell("2>&1", "df 2>&1")],
      [["true", "&&", "df"], shell("&&", "true && df")],
      [["true", ";", "df"], shell(";", "true ; df")],
      [["ls", "~/x"], shell("~/x", "ls ~/x")],
      [["ls", "$HOME"], shell("$HOME", "ls $HOME")],
      [["ls", "${HOME}/x"], shell("${HOME}/x", "ls ${HOME}/x")],
      [["df -h | head"], `${apart}["df", "-h", "|", "head"]`],
      // These need no shell, or have one.
      [["sh", "-c", "df -h | head"]],
      [["env", "X=1", "bash", "-c", "$X", ">"]],
      [["find", ".", "-exec", "true", "{}", ";"]],
      [["expr", "1", "|", "2"]],
      [["awk", "$NF"]],
      [["echo", "a|b", "$1", "$", "a~", "->", "x > y"]],
    ] as [string[], ...string[]][]
  ) {
    test(`of what is for a shell: ${exec.join(" ")}`, async () => {
      const said = await warnings(
        `[services.x]\nexec = ${JSON.stringify(exec)}\n`,
      );
      const lines = said.split("\n")
        .filter((line) => /no shell|of its own/.test(line));
      const at = "t.toml:2: services.x.exec: ";
      assertEquals(
        lines.map((line) => line.replace(/^.*?(?=t\.toml)/, "")),
        says.map((line) => `${at}${line} (warning)`),
      );
    });
  }

  test("of programs that become daemons without a socket", {
    skip: "Deno" in globalThis ? false : "only Deno gives them pipes",
  }, async () => {
    const table = ["rsync --daemon", "distccd", "rsync --server --daemon ."]
      .map((line, index) =>
        `[services.x${index}]\nexec = ${JSON.stringify(line.split(" "))}\n`
      ).join("");
    const permissions = ["net", "read", "write", "run", "sys", "env"];
    const words = [
      ...[process.execPath, "run", "--no-lock", "--no-check", "--no-prompt"],
      ...permissions.map((name) => `--allow-${name}`),
      join(ROOT, "mod.ts"),
    ];
    const lines = (text: string) =>
      text.split("\n").filter((line) => /as a daemon/.test(line)).length;
    assertEquals(lines(await warnings(table, { words })), 2);
    assertEquals(lines(await warnings(table)), 0);
  });
});
