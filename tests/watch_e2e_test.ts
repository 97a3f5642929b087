/** `[server] watch`: changes of the table's files are reloads. */
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { exchange } from "./support/client.ts";
import { runCommand } from "./support/command.ts";
import { withFolder } from "./support/daemon.ts";
import { needs, skip } from "./support/needs.ts";
import {
  programUnderTest,
  programWatches,
  type RunningServer,
  withServer,
} from "./support/server.ts";
import { until } from "./support/wait.ts";

const SETTINGS = "[server]\nwatch = true\n";
const INCLUDE = `include = ["services.d/*.toml"]\n${SETTINGS}`;
const NOT_RELOADED = "not reloaded, the old table stays in force";

const service = (name: string) => `[services.${name}]\ntext = "${name}"\n`;

/** Waits until these are the services, one after the other. */
async function serves(server: RunningServer, names: string): Promise<void> {
  const wanted = names.split(" ").map((name) => `${name}\r\n`).join("");
  let found = "";
  await until(
    () =>
      `it serves ${names}; it serves ${JSON.stringify(found)}: ${
        JSON.stringify(server.log.filter(({ message }) =>
          message !== "connection"
        ))
      }`,
    async () => (found = await exchange(server.port, "HELP\r\n")) === wanted,
  );
}

function reloads(server: RunningServer): number {
  return server.log.filter(({ message }) => message === "reloaded").length;
}

describe("a change is seen", () => {
  test("of the table, written in place or put in its place", () =>
    withServer(SETTINGS + service("a"), async (server, folder) => {
      const file = join(folder, "services.toml");
      writeFileSync(file, SETTINGS + service("b"));
      await serves(server, "b");
      writeFileSync(
        join(folder, ".services.toml.swp"),
        SETTINGS + service("c"),
      );
      renameSync(join(folder, ".services.toml.swp"), file);
      await serves(server, "c");
      // Not appendFileSync(): on Deno it makes the file writable by all.
      writeFileSync(file, service("d"), { flag: "a" });
      await serves(server, "c d");
      rmSync(file); // editors that keep the old file under another name
      const { reason } = await server.logged(NOT_RELOADED);
      assertMatch(String(reason), /no such file/);
      writeFileSync(file, SETTINGS + service("e"));
      await serves(server, "e");
    }));

  test("of the files that a pattern matches", () =>
    withServer(INCLUDE + service("a"), async (server, folder) => {
      const at = (name: string) => join(folder, "services.d", name);
      mkdirSync(join(folder, "services.d"));
      writeFileSync(at("b.toml"), service("b"));
      await serves(server, "a b");
      writeFileSync(at("c.toml"), service("c"));
      await serves(server, "a b c");
      writeFileSync(at("b.toml"), service("bb"));
      await serves(server, "a bb c");
      renameSync(at("b.toml"), at("b.off"));
      await serves(server, "a c");
      writeFileSync(at("d.toml"), "no TOML");
      await server.logged(
        NOT_RELOADED,
        ({ reason }) => /d\.toml:1: not TOML/.test(String(reason)),
      );
      writeFileSync(at("d.toml"), service("d"));
      await serves(server, "a c d");
      rmSync(join(folder, "services.d"), { recursive: true });
      await serves(server, "a");
      mkdirSync(join(folder, "new.d"));
      writeFileSync(join(folder, "new.d/e.toml"), service("e"));
      renameSync(join(folder, "new.d"), join(folder, "services.d"));
      await serves(server, "a e");
      writeFileSync(at("f.toml"), service("f"));
      await serves(server, "a e f");
    }));

  test("of the links of a volume of Kubernetes", () =>
    withServer(SETTINGS + service("a"), async (server, folder) => {
      // As the kubelet writes a ConfigMap: a folder for each version, a link to
      // it that is replaced, and a link into that for each file.
      const volume = join(folder, "volume");
      const update = (version: string, names: string[]) => {
        mkdirSync(join(volume, version), { recursive: true });
        writeFileSync(
          join(volume, version, "services.toml"),
          INCLUDE.replace("services.d/", "") + service(names[0]!),
        );
        writeFileSync(join(volume, version, "more.toml"), service(names[1]!));
        symlinkSync(version, join(volume, "..data_tmp"));
        renameSync(join(volume, "..data_tmp"), join(volume, "..data"));
      };
      update("..1", ["b", "c"]);
      for (const name of ["services.toml", "more.toml"]) {
        symlinkSync(join("..data", name), join(volume, name));
      }
      rmSync(join(folder, "services.toml"));
      symlinkSync("volume/services.toml", join(folder, "services.toml"));
      await server.logged("reloaded");
      // The include begins at the name that the table was given.
      rmSync(join(folder, "services.toml"));
      writeFileSync(
        join(folder, "services.toml"),
        `include = ["volume/*.toml"]\n${SETTINGS}`,
      );
      await server.logged(NOT_RELOADED); // [server] twice
      writeFileSync(
        join(folder, "services.toml"),
        `include = ["volume/more.toml"]\n${SETTINGS}`,
      );
      await serves(server, "c");
      update("..2", ["d", "e"]);
      rmSync(join(volume, "..1"), { recursive: true });
      await serves(server, "e");
      update("..3", ["f", "g"]);
      await serves(server, "g");
    }));

  test("only while the table says so", () =>
    withServer(service("a"), async (server, folder) => {
      const file = join(folder, "services.toml");
      writeFileSync(file, SETTINGS + service("b"));
      server.signal("SIGHUP");
      await serves(server, "b");
      writeFileSync(file, service("c"));
      await serves(server, "c");
      writeFileSync(file, SETTINGS + service("d"));
      server.signal("SIGUSR2");
      await server.logged("state");
      const before = reloads(server);
      server.signal("SIGHUP");
      await serves(server, "d");
      writeFileSync(file, SETTINGS + service("e"));
      await serves(server, "e");
      assert(reloads(server) > before);
    }));
});

describe("a watch", () => {
  test("gathers a thousand changes, and ends with the last", () =>
    withServer(INCLUDE + service("a"), async (server, folder) => {
      mkdirSync(join(folder, "services.d"));
      for (let count = 0; count < 1000; count++) {
        writeFileSync(join(folder, "services.d/x.toml"), service(`x${count}`));
        if (count % 50 === 0) await new Promise((done) => setImmediate(done));
      }
      await serves(server, "a x999");
      assert(reloads(server) < 250, `${reloads(server)} reloads`);
    }));

  test(
    "is held up by nothing in a file's place",
    needs("mkfifo"),
    () =>
      withServer(INCLUDE + service("a"), async (server, folder) => {
        const table = join(folder, "services.toml");
        const reasons = (what: RegExp) =>
          server.logged(
            NOT_RELOADED,
            ({ reason }) => what.test(String(reason)),
          );
        rmSync(table);
        mkdirSync(table);
        await reasons(/services\.toml: cannot be read: it is a directory/);
        rmSync(table, { recursive: true });
        assertEquals(spawnSync("mkfifo", [table]).status, 0);
        await reasons(/services\.toml: cannot be read: it is a pipe/);
        rmSync(table);
        writeFileSync(table, INCLUDE + service("b"));
        await serves(server, "b");
        mkdirSync(join(folder, "services.d"));
        const included = join(folder, "services.d/x.toml");
        assertEquals(spawnSync("mkfifo", [included]).status, 0);
        await reasons(/include\[0\]: .*x\.toml cannot be read: it is a pipe/);
        rmSync(included);
        writeFileSync(included, service("c"));
        await serves(server, "b c");
      }),
  );

  test("of what is in no file is refused", needs("sh"), async () => {
    const script = 'printf "%s" "$0" | "$@" serve -c - -l 127.0.0.1:0';
    const { code, err } = await runCommand([
      ...["sh", "-c", script, SETTINGS + service("a")],
      ...programUnderTest(),
    ]);
    assertEquals(code, 78);
    assertMatch(err, /standard input: server\.watch: goes only with a table/);
  });

  const namespaces = spawnSync("unshare", ["-Ur", "true"]).status === 0;
  test("that the system refuses is an error at the start", {
    ...(!programWatches()
      ? { skip: "Deno watches none" }
      : namespaces
      ? {}
      : skip("no user namespaces")),
  }, () =>
    withFolder(async (folder) => {
      const file = join(folder, "services.toml");
      writeFileSync(file, SETTINGS + service("a"));
      for (
        const [limit, name] of [["instances", "instances"], [
          "watches",
          "watches",
        ]]
      ) {
        const script = `echo 0 > /proc/sys/user/max_inotify_${limit}; ` +
          'exec "$@"';
        const { code, err } = await runCommand([
          ...["unshare", "-Ur", "sh", "-c", script, "sh"],
          ...programUnderTest(),
          ...["serve", "-c", file, "-l", "127.0.0.1:0"],
        ]);
        assertEquals(code, 74, err);
        assertMatch(
          err,
          /^tcpmux: cannot watch \S+ for changes of the table: /,
        );
        assertMatch(err, new RegExp(`sysctl fs\\.inotify\\.max_user_${name}=`));
      }
    }));
});
