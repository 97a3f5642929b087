/** A table that stands in several files. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { checkTable, serve, TableError, type TableInput } from "../mod.ts";
import { exchange } from "./support/client.ts";
import { runCommand, tcpmux } from "./support/command.ts";
import { withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { programUnderTest, withServer } from "./support/server.ts";

const MAIN = "services.toml";
const INCLUDE = 'include = ["services.d/*.toml"]\n';

const service = (name: string) => `[services.${name}]\ntext = "${name}"\n`;

/** Writes the files, each by its path below the folder. */
function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** What check finds in the files, with names as they are below the folder. */
async function check(
  files: Record<string, string>,
  prepare: (folder: string) => void = () => {},
): Promise<{ code: number | null; err: string; services: number }> {
  return await withFolder(async (folder) => {
    write(folder, files);
    prepare(folder);
    const { code, out, err } = await tcpmux(["check", join(folder, MAIN)]);
    const [, services = "0"] = /: (\d+) services?, no errors/.exec(out) ?? [];
    const short = err.replaceAll(`${folder}/`, "").replaceAll(folder, ".");
    return { code, err: withoutPorts(short), services: Number(services) };
  });
}

/** Others may listen on port 1 meanwhile, which `check` warns of. */
function withoutPorts(err: string): string {
  return err.replaceAll(/^.*server\.listen\[0\]: .* \(warning\)\n/gm, "");
}

describe("include", () => {
  test("adds services, in the order of the names' bytes", () =>
    withServer(`${INCLUDE}${service("main")}`, async (server, folder) => {
      write(folder, {
        "services.d/b.toml": service("b") + service("a"),
        "services.d/9.toml": service("nine"),
        "services.d/10.toml": service("ten"),
        "services.d/B.toml": service("capital"),
        "services.d/\u00e9.toml": service("accent"),
        "services.d/.hidden.toml": "nonsense",
        "services.d/old.toml~": "nonsense",
        "services.d/toml": "nonsense",
      });
      server.signal("SIGHUP");
      await server.logged("reloaded", ({ services }) => services === 7);
      const names = "main ten nine capital b a accent".split(" ");
      assertEquals(
        await exchange(server.port, "HELP\r\n"),
        names.map((name) => `${name}\r\n`).join(""),
      );
      assertEquals(await exchange(server.port, "b\r\n"), "+Go\r\nb");
    }));

  test("begins at the table, wherever the server was started", () =>
    withFolder(async (folder) => {
      write(folder, {
        [`etc/${MAIN}`]:
          `include = ["./more.toml", "${folder}/other/x?.toml", "more.toml", ` +
          '"../etc/*.toml"]\n',
        "etc/more.toml": service("more"),
        "other/x1.toml": service("x"),
        "other/x10.toml": "nonsense",
      });
      for (
        const [cwd, file] of [["etc", MAIN], [".", `etc/${MAIN}`]] as const
      ) {
        const { code, out, err } = await tcpmux(["check", file], {
          cwd: join(folder, cwd),
        });
        assertEquals([code, withoutPorts(err)], [0, ""]);
        assertMatch(out, /: 2 services, no errors/);
      }
    }));

  test("that matches nothing is a warning, a missing file an error", async () => {
    const empty = await check({ [MAIN]: INCLUDE + service("a") });
    assertEquals(empty.code, 0);
    assertEquals(
      empty.err,
      "services.toml:1: include[0]: services.d/*.toml matches no file " +
        "(warning)\n",
    );
    const missing = await check({
      [MAIN]: `include = [\n"a.toml",\n"b.toml"]\n`,
      "a.toml": service("a"),
    });
    assertEquals(missing.code, 78);
    assertMatch(
      missing.err,
      /^services\.toml:3: include\[1\]: b\.toml cannot be read: no such file\n/,
    );
  });

  test("has every fault said, with its own file and line", async () => {
    const { code, err } = await check({
      [MAIN]: `${INCLUDE}[services.a]\nbuiltin = "ecko"\n`,
      "services.d/1.toml": '[services.b]\ntext = "b"\nfrob = 1\n',
      "services.d/2.toml": "[server]\nhelp = false\n",
      "services.d/3.toml": 'include = ["x"]\n',
      "services.d/4.toml": "no TOML at all\n",
      "services.d/5.toml":
        '\n[services.c]\nuser = "x"\nexec = ["x"]\nbad = 1\n',
    });
    assertEquals(code, 78);
    const lines = err.split("\n").map((line) =>
      line.split(": ").slice(0, 2).join(": ")
    );
    assertEquals(lines.slice(0, 6).toSorted(), [
      "services.d/1.toml:3: services.b.frob",
      "services.d/2.toml:1: server",
      "services.d/3.toml:1: include",
      lines.find((line) => line.startsWith("services.d/4.toml:1: "))!,
      "services.d/5.toml:5: services.c.bad",
      "services.toml:3: services.a.builtin",
    ]);
    assertMatch(err, /server: stands in the table itself/);
    assertMatch(err, /: 6 errors\n$/);
  });

  test("finds what is wrong only here in its own file as well", async () => {
    const { code, err } = await check({
      [MAIN]: `${INCLUDE}\n\n\n\n${service("a")}`,
      "services.d/x.toml": '[services.x]\nexec = ["/none"]\n',
      "services.d/y.toml":
        '\n[services.y]\nexec = ["true"]\nuser = "nobody-at-all"\n',
    });
    assertEquals(code, 78);
    assertMatch(err, /^services\.d\/x\.toml:2: services\.x\.exec: .*warning/m);
    assertMatch(
      err,
      /^services\.d\/y\.toml:4: services\.y\.user: there is no/m,
    );
  });

  test("of one name twice says where both are", async () => {
    const same = await check({
      [MAIN]: INCLUDE,
      "services.d/1.toml": `\n${service("one")}`,
      "services.d/2.toml": service("one"),
    });
    assertEquals(same.code, 78);
    assertMatch(
      same.err,
      /^services\.d\/2\.toml:1: services\.one: the name "one" is already used by the service one of services\.d\/1\.toml:2 \(/,
    );
    const alias = await check({
      [MAIN]: INCLUDE + service("main"),
      "services.d/1.toml": '[services.x]\ntext = ""\naliases = ["MAIN"]\n',
    });
    assertMatch(
      alias.err,
      /^services\.d\/1\.toml:3: services\.x\.aliases\[0\]: the name "MAIN" .* main of services\.toml:2 \(/,
    );
  });

  test("belongs at the top, and only in a file", async () => {
    const below = await check({
      [MAIN]: `[server]\n${INCLUDE}${service("a")}`,
    });
    assertMatch(below.err, /:2: server\.include: stands at the top/);
    const within = await check({ [MAIN]: service("a") + INCLUDE });
    assertMatch(within.err, /:3: services\.a\.include: stands at the top/);
    const folders = await check({ [MAIN]: 'include = ["*/x.toml"]\n' });
    assertMatch(folders.err, /include\[0\]: has a \* or a \? before/);
    const number = await check({ [MAIN]: "include = [1]\n" });
    assertMatch(number.err, /:1: include\[0\]: is 1; allowed: a path/);
    for (const key of ["include = ['x']", "server.watch = true"]) {
      const { errors } = await checkTable(`${key}\n${service("a")}`);
      assertMatch(errors[0]!.message, /^needs a file: a table that a program/);
      await assertRejects(() => serve(`${key}\n${service("a")}`), TableError);
    }
    const input = { include: ["x"], services: {} } as TableInput;
    await assertRejects(() => serve(input), TableError, "needs a file");
  });

  test("of standard input begins nowhere", needs("sh"), async () => {
    const script = 'printf "%s" "$0" | "$@" check -';
    const { code, err } = await runCommand([
      ...["sh", "-c", script, INCLUDE],
      ...programUnderTest(),
    ]);
    assertEquals(code, 78);
    assertMatch(err, /^standard input:1: include\[0\]: begins nowhere: /);
  });
});

describe("an included file", () => {
  test("that is no file is an error each, and holds up nobody", {
    ...needs("mkfifo"),
  }, async () => {
    const { code, err } = await check({
      [MAIN]: `${INCLUDE}${service("a")}`,
      "services.d/latin1.toml": "",
    }, (folder) => {
      const at = (name: string) => join(folder, "services.d", name);
      mkdirSync(at("folder.toml"));
      assertEquals(spawnSync("mkfifo", [at("fifo.toml")]).status, 0);
      assertEquals(
        spawnSync("ln", ["-s", "/dev/null", at("device.toml")]).status,
        0,
      );
      assertEquals(spawnSync("ln", ["-s", "none", at("link.toml")]).status, 0);
      writeFileSync(at("latin1.toml"), "# gr\u00fc\u00df\n", "latin1");
    });
    assertEquals(code, 78);
    const why = (name: string) =>
      new RegExp(
        `include\\[0\\]: services\\.d/${name}\\.toml cannot be ` +
          "read: (.*)",
      ).exec(err)?.[1];
    assertMatch(why("folder")!, /it is a directory/);
    assertMatch(why("fifo")!, /it is a pipe or a device/);
    assertMatch(why("device")!, /it is a pipe or a device/);
    assertMatch(why("link")!, /no such file/);
    assertMatch(why("latin1")!, /it is not valid UTF-8/);
    assertMatch(err, /: 5 errors\n$/);
  });

  test("is refused where others can write it, or its folder", async () => {
    const files = {
      [MAIN]: INCLUDE,
      "services.d/a.toml": service("a"),
      "services.d/b.toml": '[services.b]\nbuiltin = "ecko"\n',
    };
    const file = await check(
      files,
      (folder) => chmodSync(join(folder, "services.d/a.toml"), 0o666),
    );
    assertEquals(file.code, 78);
    assertMatch(
      file.err,
      /^services\.d\/a\.toml: it is writable by its group or others/m,
    );
    assertMatch(file.err, /b\.toml:2: services\.b\.builtin/);
    assertMatch(file.err, /: 2 errors\n$/);
    // Nobody can replace a file in a sticky folder, but all can add one.
    for (const mode of [0o777, 0o1777]) {
      const shared = await check(
        files,
        (folder) => chmodSync(join(folder, "services.d"), mode),
      );
      assertEquals(shared.code, 78);
      assertMatch(
        shared.err,
        /^services\.toml: the directory services\.d, whose files it includes, is writable/m,
      );
      assertMatch(shared.err, /: 2 errors\n$/);
    }
    await withServer(INCLUDE + service("main"), async (server, folder) => {
      write(folder, { "services.d/a.toml": service("a") });
      chmodSync(join(folder, "services.d/a.toml"), 0o666);
      server.signal("SIGHUP");
      await server.logged("not reloaded, the old table stays in force");
      chmodSync(join(folder, "services.d/a.toml"), 0o644);
      server.signal("SIGHUP");
      await server.logged("reloaded");
      rmSync(join(folder, "services.d/a.toml"));
      server.signal("SIGHUP");
      await server.logged("reloaded", ({ services }) => services === 1);
      assert(!(await exchange(server.port, "HELP\r\n")).includes("a\r\n"));
    });
  });
});
