/** A table that others can write is not served: they would be the server. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { runCommand, tcpmux } from "./support/command.ts";
import { exchange } from "./support/client.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { quoted } from "./support/run.ts";
import { programUnderTest, withServer } from "./support/server.ts";

// An address of its own: check warns of one that is in use.
const TABLE = 'server.listen = "127.0.0.1:0"\n' +
  '[services.about]\ntext = "about"\n';
const OTHER_USER = 65_533;
const LAX = "use --no-strict-modes to accept it anyway";

let folder: string;
before(() => folder = mkdtempSync(join(tmpdir(), "tcpmux-test-")));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A table in a folder of its own, both with these modes. */
function tableIn(name: string, modes: { file?: number; folder?: number } = {}) {
  const own = join(folder, name);
  mkdirSync(own);
  const file = join(own, "services.toml");
  writeFileSync(file, TABLE);
  chmodSync(file, modes.file ?? 0o644);
  chmodSync(own, modes.folder ?? 0o755);
  return { own, file };
}

const check = (file: string) => tcpmux(["check", file]);

describe("a table is refused", () => {
  for (
    const [what, mode] of [["its group", 0o664], ["others", 0o646]] as const
  ) {
    test(`that ${what} can write`, async () => {
      const { file } = tableIn(what, { file: mode });
      const { code, err } = await check(file);
      assertEquals(code, 78);
      assertEquals(
        err.split("\n")[0],
        `${file}: it is writable by its group or others (mode 0` +
          `${
            mode.toString(8)
          }), who could change the table: chmod go-w ${file}, or ${LAX}`,
      );
      chmodSync(file, 0o644); // what it says to do
      assertEquals((await check(file)).code, 0);
    });
  }

  test("that stands in a folder which others can write", async () => {
    const { own, file } = tableIn("open", { folder: 0o777 });
    const { code, err } = await check(file);
    assertEquals(code, 78);
    assert(err.includes(`chmod go-w ${own}, or ${LAX}\n`), err);
    chmodSync(own, 0o1777); // as /tmp
    assertEquals((await check(file)).code, 0);
  });

  test("that a link leads to through such a folder", async () => {
    const { file } = tableIn("safe");
    const { own, file: real } = tableIn("unsafe", { folder: 0o775 });
    const to = join(folder, "to-unsafe");
    symlinkSync(real, to);
    assertEquals((await check(to)).code, 78);
    const from = join(own, "link");
    symlinkSync(file, from);
    assertEquals((await check(from)).code, 78);
    const good = join(folder, "to-safe");
    symlinkSync(file, good);
    assertEquals((await check(good)).code, 0);
  });

  test(
    "that belongs to somebody else, or its folder",
    needsRoot(),
    async () => {
      const { own, file } = tableIn("owned");
      for (const path of [file, own]) {
        chownSync(path, OTHER_USER, 0);
        const { code, err } = await check(file);
        assertEquals(code, 78);
        assertMatch(err, /belongs to user 65533, who could change the table/);
        assert(err.includes(`chown 0 ${path}, or ${LAX}\n`), err);
        chownSync(path, 0, 0);
      }
      assertEquals((await check(file)).code, 0);
    },
  );

  test("by serve, by its variable, and by forward", async () => {
    const { file } = tableIn("all", { file: 0o666 });
    for (
      const [words, env] of [
        [["serve", "--config", file], {}],
        [["serve"], { TCPMUX_CONFIG: file }],
        [["forward", "--config", file], {}],
      ] as const
    ) {
      const { code, err } = await tcpmux([...words], { env: { ...env } });
      assertEquals(code, 78);
      assertMatch(err, /\(mode 0666\).*: chmod go-w /);
    }
  });

  test("by a reload, and the old one stays in force", () =>
    withServer(TABLE, async (server, own) => {
      const file = join(own, "services.toml");
      writeFileSync(file, '[services.new]\ntext = "new"\n');
      chmodSync(file, 0o666);
      server.signal("SIGHUP");
      const { reason } = await server.logged(
        "not reloaded, the old table stays in force",
      );
      assertMatch(String(reason), /is writable by its group or others/);
      assertEquals(await exchange(server.port, "about\r\n"), "+Go\r\nabout");
      chmodSync(file, 0o600);
      server.signal("SIGHUP");
      await server.logged("reloaded");
      assertEquals(await exchange(server.port, "new\r\n"), "+Go\r\nnew");
    }));
});

test("a table may come through a pipe", needs("sh"), async () => {
  const { file } = tableIn("piped");
  const words = [...programUnderTest(), "check", "/dev/stdin"].map(quoted);
  const line = `cat ${quoted(file)} | ${words.join(" ")}`;
  const { code, err } = await runCommand(["sh", "-c", line]);
  assertEquals(code, 0, err);
});

test("without permission to look at folders the file is looked at", {
  skip: "Deno" in globalThis &&
      process.env.TCPMUX_TEST_PROGRAM === undefined
    ? false
    : "Deno alone has such permissions",
}, async () => {
  const { own, file } = tableIn("narrow", { folder: 0o777 });
  const words = programUnderTest().flatMap((word) =>
    word === "-A"
      ? ["--allow-net", `--allow-read=${file}`, "--no-prompt"]
      : word
  );
  const narrow = () => runCommand([...words, "check", file]);
  assertEquals((await narrow()).code, 0);
  chmodSync(own, 0o755);
  chmodSync(file, 0o666);
  assertEquals((await narrow()).code, 78);
});
