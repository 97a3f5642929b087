/** Where a table may come from, and what reading it again gives. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
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
import { ClientProcess } from "./support/client_process.ts";
import { runCommand, tcpmux } from "./support/command.ts";
import { answers, freePort, withFolder } from "./support/daemon.ts";
import { needs, needsRoot, skip } from "./support/needs.ts";
import {
  programUnderTest,
  type RunningServer,
  withServer,
} from "./support/server.ts";
import { sleep, until } from "./support/wait.ts";

const TABLE = '[services.about]\ntext = "about"\n';
const NOT_RELOADED = "not reloaded, the old table stays in force";

/** A table that others may write, in a folder that they may write. */
function openTable(folder: string, text = TABLE): string {
  const file = join(folder, "open.toml");
  writeFileSync(file, text);
  chmodSync(file, 0o666);
  return file;
}

/** Runs `use` with a server that has got its table on standard input. */
async function withInput(
  command: "serve" | "forward",
  use: (server: ClientProcess, port: number) => Promise<void>,
): Promise<void> {
  const port = await freePort();
  const [words, table] = command === "serve"
    ? [["--listen", `127.0.0.1:${port}`], TABLE]
    : [
      ["127.0.0.1:1"],
      `[forward.about]\nlisten = "127.0.0.1:${port}"\n`,
    ];
  const server = new ClientProcess([command, "--config", "-", ...words]);
  try {
    server.type(table);
    server.end();
    await until(
      () => `it answers; it said ${server.err}`,
      () => answers(port),
    );
    await use(server, port);
    server.signal("SIGTERM");
    assertEquals(await server.exited, 0);
  } finally {
    server.signal("SIGKILL");
  }
}

describe("standard input as the table", () => {
  test("of check", needs("sh"), async () => {
    for (const [text, code] of [[TABLE, 0], ["[services.x]\n", 78]] as const) {
      const script = 'printf "%s" "$0" | "$@" check -';
      const checked = await runCommand([
        ...["sh", "-c", script, text],
        ...programUnderTest(),
      ]);
      assertEquals(checked.code, code, checked.err);
      assertMatch(checked.out + checked.err, /standard input: /);
    }
  });

  test("cannot be a directory", needs("sh"), async () => {
    const { code, err } = await runCommand([
      ...["sh", "-c", '"$@" check - < /', "sh", ...programUnderTest()],
    ]);
    assertEquals(code, 78);
    const why = "standard input: cannot be read: it is a directory\n";
    assert(err.startsWith(why), err);
  });

  for (const command of ["serve", "forward"] as const) {
    test(`of ${command} is read once, and that is said`, () =>
      withInput(command, async (server, port) => {
        await server.complains(
          /warn .*standard input: it can be read only once/,
        );
        server.signal("SIGHUP");
        await server.complains(/not reloaded.*standard input: .*at the start/);
        assert(await answers(port));
        if (command === "forward") return;
        assertEquals(await exchange(port, "about\r\n"), "+Go\r\nabout");
      }));
  }

  test("may be late: a signal ends the wait for it", async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const server = new ClientProcess(["serve", "--config", "-"]);
      server.type(TABLE);
      await server.heeds("SIGHUP"); // Node by itself has one for the others
      await sleep(300); // it reads by now
      server.signal(signal);
      assertEquals(await server.exited, 0, server.err);
    }
  });

  test("may be a pipe of the shell", needs("bash"), async () => {
    const port = await freePort();
    const script = 'exec "$@" --config <(printf "%s" "$0")';
    const [program, ...words] = [
      ...["bash", "-c", script, TABLE],
      ...programUnderTest(),
      ...["serve", "--listen", `127.0.0.1:${port}`],
    ];
    const server = new ClientProcess(words, {}, [program!]);
    try {
      await until(
        () => `it answers; it said ${server.err}`,
        () => answers(port),
      );
      await server.complains(/warn .*\/dev\/fd\/\d+: it can be read only once/);
      server.signal("SIGHUP");
      await server.complains(/not reloaded.*\/dev\/fd\/.*at the start/);
      assertEquals(await exchange(port, "about\r\n"), "+Go\r\nabout");
    } finally {
      server.signal("SIGKILL");
      await server.exited;
    }
  });
});

test("a table in another encoding than UTF-8 is refused, and says so", () =>
  withFolder(async (folder) => {
    const file = join(folder, "services.toml");
    for (const encoding of ["latin1", "utf16le"] as const) {
      const text = '[services.about]\ntext = "gr\u00fc\u00df"\n';
      writeFileSync(
        file,
        `\ufeff${text}`.slice(encoding === "latin1" ? 1 : 0),
        {
          encoding,
          mode: 0o644,
        },
      );
      const { code, err } = await tcpmux(["check", file]);
      assertEquals(code, 78);
      assertMatch(err, /services\.toml: cannot be read: it is not valid UTF-8/);
    }
  }));

describe("what is no file", needs("mkfifo"), () => {
  test("is an error, and holds up neither check nor a reload", () =>
    withServer(TABLE, async (server, folder) => {
      const file = join(folder, "services.toml");
      rmSync(file);
      assertEquals(spawnSync("mkfifo", [file]).status, 0);
      for (const [path, what] of [[file, "pipe"], ["/dev/null", "device"]]) {
        const { code, err } = await tcpmux(["check", path!]);
        assertEquals(code, 78);
        assert(err.includes(`${path}: cannot be read: it is a pipe`), what);
      }
      server.signal("SIGHUP");
      const { reason } = await server.logged(NOT_RELOADED);
      assertMatch(String(reason), /it is a pipe or a device, not a file/);
      rmSync(file);
      writeFileSync(file, '[services.new]\ntext = "new"\n');
      server.signal("SIGHUP");
      await server.logged("reloaded");
      assertEquals(await exchange(server.port, "new\r\n"), "+Go\r\nnew");
    }));
});

describe("reloads", () => {
  /** Puts a table with one service in place at once, as editors do. */
  function put(folder: string, name: string): void {
    const file = join(folder, "services.toml");
    writeFileSync(`${file}.new`, `[services.${name}]\ntext = ""\n`);
    renameSync(`${file}.new`, file);
  }

  /** Waits until no reload is under way any more, and gives the names. */
  async function settled(server: RunningServer): Promise<string> {
    let before = -1;
    await until("reloads have ended", async () => {
      const reloads = server.log.filter(({ message }) =>
        message === "reloaded"
      ).length;
      const isSame = reloads === before;
      before = reloads;
      await sleep(60);
      return isSame;
    });
    return await exchange(server.port, "HELP\r\n");
  }

  test("put the last table in force, though it is read faster", () =>
    withServer(TABLE, async (server, folder) => {
      // All folders above a table are looked at, which takes a while here.
      const deep = join(folder, "d/".repeat(1000));
      mkdirSync(deep, { recursive: true });
      const link = join(folder, "link");
      for (let round = 0; round < 5; round++) {
        writeFileSync(
          join(deep, "old"),
          `[services.old-${round}]\ntext = ""\n`,
        );
        symlinkSync(join(deep, "old"), link);
        renameSync(link, join(folder, "services.toml"));
        server.signal("SIGHUP");
        await sleep(10); // it is being read by now
        put(folder, `new-${round}`);
        server.signal("SIGHUP");
        await until(
          "the new table is in force",
          async () =>
            await exchange(server.port, "HELP\r\n") === `new-${round}\r\n`,
        );
        await sleep(300); // the old one would follow
        assertEquals(await settled(server), `new-${round}\r\n`);
      }
    }));

  test("by the hundred end with the last table", () =>
    withServer(TABLE, async (server, folder) => {
      for (let count = 0; count < 200; count++) {
        put(folder, `table-${count}`);
        server.signal("SIGHUP");
        if (count % 10 === 0) await sleep(1);
      }
      await until(
        "the last table is in force",
        async () => await exchange(server.port, "HELP\r\n") === "table-199\r\n",
      );
      assertEquals(await settled(server), "table-199\r\n");
    }));
});

describe("a table that others can write", () => {
  test("is checked for what is wrong within as well", () =>
    withFolder(async (folder) => {
      const file = openTable(folder);
      writeFileSync(file, '[services.a]\nbuiltin = "ecko"\n');
      const { code, err } = await tcpmux(["check", file]);
      assertEquals(code, 78);
      assertMatch(err, /writable by its group or others/);
      assertMatch(err, /:2: services.a.builtin: is "ecko"/);
      assertMatch(err, /: 2 errors\n$/);
    }));

  test("is taken with --no-strict-modes, and a warning", () =>
    withFolder(async (folder) => {
      const file = openTable(folder);
      const strict = await tcpmux(["check", file]);
      assertEquals(strict.code, 78);
      assertMatch(strict.err, /or use --no-strict-modes to accept it/);
      const lax = await tcpmux(["check", file, "--no-strict-modes"]);
      assertEquals(lax.code, 0);
      assertMatch(lax.err, /writable by its group or others .* \(warning\)\n/);
      await withServer(
        TABLE,
        async (server, own) => {
          chmodSync(join(own, "services.toml"), 0o666);
          server.signal("SIGHUP");
          await server.logged("reloaded");
          const { advice } = await server.logged("warning about the table");
          assertMatch(String(advice), /writable by its group or others/);
        },
        { args: ["--listen", "127.0.0.1:0", "--no-strict-modes"] },
      );
      const port = await freePort();
      const forwards = openTable(
        folder,
        `[forward.x]\nlisten = "127.0.0.1:${port}"\n`,
      );
      const words = ["forward", "127.0.0.1:1", "--config", forwards];
      assertEquals((await tcpmux(words)).code, 78);
      const forward = new ClientProcess([...words, "--no-strict-modes"]);
      await until("it answers", () => answers(port));
      await forward.complains(/warn .*writable by its group or others/);
      forward.signal("SIGTERM");
      assertEquals(await forward.exited, 0);
    }));

  test(
    "is taken from a file system that is read-only here",
    needsMount(),
    () =>
      withFolder(async (folder) => {
        // A volume of Kubernetes: links, in a folder that all can write.
        const volume = join(folder, "a volume");
        const data = join(volume, "..2026");
        mkdirSync(data, { recursive: true });
        writeFileSync(join(data, "services.toml"), TABLE);
        chmodSync(join(data, "services.toml"), 0o664);
        symlinkSync("..2026", join(volume, "..data"));
        symlinkSync("..data/services.toml", join(volume, "services.toml"));
        for (const path of [volume, data]) chmodSync(path, 0o777);
        const file = join(volume, "services.toml");
        assertEquals((await tcpmux(["check", file])).code, 78);
        const { code, err } = await runCommand([
          ...readOnly(volume),
          ...programUnderTest(),
          ...["check", file],
        ]);
        assertEquals(code, 0, err);
      }),
  );
});

/** The words that run a program for which this folder is read-only. */
function readOnly(folder: string): string[] {
  const script = 'mount --bind "$0" "$0" && ' +
    'mount -o remount,bind,ro "$0" && exec "$@"';
  return ["unshare", "--mount", "--", "sh", "-c", script, folder];
}

function needsMount(): { skip?: string } {
  const [unshare, ...words] = readOnly("/mnt");
  const { status } = spawnSync(unshare!, [...words, "true"]);
  return status === 0 ? {} : skip("a mount takes root, unshare(1), mount(8)");
}

test("what holds for many services is said once, and no second time", {
  ...needsRoot(),
}, () => {
  const programs = (count: number) =>
    Array.from(
      { length: count },
      (_, index) => `[services.x${index}]\nexec = ["true"]\n`,
    ).join("");
  return withServer(programs(54), async (server, folder) => {
    const advice = () =>
      server.log.filter(({ message }) => message === "warning about the table")
        .map(({ advice }) => String(advice).replace(/^\S+:\d+: /, ""));
    const ROOT = "runs as root (set user to run it as another user)";
    assertEquals(advice(), [`services.x0.exec and 53 more: ${ROOT}`]);
    writeFileSync(join(folder, "services.toml"), programs(55));
    server.signal("SIGHUP");
    await until("it is reloaded", () =>
      exchange(server.port, "HELP\r\n")
        .then((names) => names.includes("x54")));
    await server.logged("reloaded");
    assertEquals(advice().slice(1), [`services.x54.exec: ${ROOT}`]);
  });
});
