/** The log in a file: opened, rotated, and full. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { exchange } from "./support/client.ts";
import { withFolder } from "./support/daemon.ts";
import {
  jsonLines,
  refusesPlace,
  startLogging,
  textOf,
  withLogging,
  writeTable,
} from "./support/logging.ts";
import { findProgram, needs, needsRoot } from "./support/needs.ts";
import { mustRun } from "./support/run.ts";
import { ROOT } from "./support/server.ts";
import { until } from "./support/wait.ts";

const JSON_LOG = `to = "{folder}/tcpmux.log"\nformat = "json"`;
const DROPPED = "log lines were dropped, the log could not be written in time";

/** Has the server write so many lines, each of some 500 bytes. */
async function connectOften(port: number, times: number): Promise<void> {
  const clients = Array.from({ length: 10 }, async () => {
    for (let i = 0; i < times / 10; i++) {
      await exchange(port, `${"x".repeat(250)}\r\n`);
    }
  });
  await Promise.all(clients);
}

/** The numbers of the connections whose records stand in a log. */
function recorded(log: string): number[] {
  return jsonLines(log)
    .filter(({ message }) => message === "connection")
    .map(({ conn }) => conn as number);
}

describe("a log file", () => {
  test("of a table that is refused leaves nothing behind", () =>
    withLogging({ log: JSON_LOG }, async (server) => {
      const { folder } = server;
      const [last, next] = ["tcpmux.log", "next.log"].map((name) =>
        join(folder, name)
      );
      const refusals = () =>
        jsonLines(textOf(last!)).filter(({ message }) =>
          message.startsWith("not reloaded")
        ).length;
      writeTable(
        folder,
        `to = "${next}"`,
        undefined,
        'control = "unix:{folder}/none/socket"',
      );
      // More than a process may have listeners of one event without a warning.
      for (let times = 1; times <= 12; times++) {
        server.signal("SIGHUP");
        await until("it has refused", () => refusals() === times);
      }
      assertEquals(textOf(next!), "");
      const open = readdirSync(`/proc/${server.pid}/fd`).map((descriptor) => {
        try {
          return readlinkSync(`/proc/${server.pid}/fd/${descriptor}`);
        } catch {
          return ""; // closed meanwhile
        }
      });
      assertEquals(open.filter((path) => path === next), []);
      assertEquals(await server.stop(), 0);
      assertEquals(server.stderr, "");
    }));

  test("gets the lines behind those that it has, and standard error none", () =>
    withFolder(async (folder) => {
      const file = join(folder, "tcpmux.log");
      for (let start = 1; start <= 2; start++) {
        const server = await startLogging(folder, {
          log: `to = "${file}"\nlevel = "info"`,
        });
        await server.ready();
        assertEquals(await exchange(server.port, "echo\r\nhi"), "+Go\r\nhi");
        assertEquals(await server.stop(), 0);
        assertEquals(server.stderr, "");
        const lines = readFileSync(file, "utf8");
        assertEquals(lines.match(/ info {2}serving table=/g)!.length, start);
        assertEquals(lines.match(/ info {2}stopped\n/g)!.length, start);
        assertEquals(lines.match(/ service=echo /g)!.length, start);
      }
      assertEquals(statSync(file).mode & 0o777, 0o640);
    }));

  const REFUSED: [
    string,
    string,
    RegExp,
    (folder: string) => unknown,
  ][] = [
    [
      "in no directory",
      "gone/tcpmux.log",
      /: there is no \S+\/gone \(install -d -m 750 \S+\/gone\)\n$/,
      () => {},
    ],
    ["that is a directory", "d", /: a directory \(/, (folder) => {
      mkdirSync(join(folder, "d"));
    }],
    ["below a file", "f/l", /f is no directory \(/, (folder) => {
      writeFileSync(join(folder, "f"), "");
    }],
    ["that is a symbolic link", "l", /: a symbolic link \(/, (folder) => {
      symlinkSync(join(folder, "to"), join(folder, "l"));
    }],
    ["that is a fifo without reader", "p", /: not a file \(/, (folder) => {
      return mustRun(["mkfifo", join(folder, "p")]);
    }],
  ];
  for (const [what, name, message, make] of REFUSED) {
    test(`${what} is an error at the start`, () =>
      withFolder(async (folder) => {
        await make(folder);
        const path = join(folder, name);
        const server = await startLogging(folder, { log: `to = "${path}"` });
        assertEquals(await server.exited, 74, server.stderr);
        assertMatch(server.stderr, /^tcpmux: cannot open the log [^\n]*\n$/);
        assertMatch(server.stderr, message);
      }));
  }

  test("that is a fifo whose reader stands still is an error as well", () =>
    withFolder(async (folder) => {
      const fifo = join(folder, "p");
      await mustRun(["mkfifo", fifo]);
      const reader = mustRun(["sh", "-c", `exec 3<>${fifo}; read line <&3`]);
      await until(
        "the fifo has a reader",
        () =>
          mustRun(["sh", "-c", `timeout 1 sh -c ': > ${fifo}'`])
            .then(() => true, () => false),
      );
      const server = await startLogging(folder, { log: `to = "${fifo}"` });
      assertEquals(await server.exited, 74, server.stderr);
      assertMatch(server.stderr, /: not a file \(/);
      writeFileSync(fifo, "over\n");
      await reader;
    }));

  for (
    const [to, message] of [
      ["tcpmux.log", /a path begins with \//],
      ["/var/log/", /it is the path of a directory/],
    ] as const
  ) {
    test(`${to} is an error of the table`, () => refusesPlace(to, message));
  }

  test("is made anew at SIGUSR1, unless it has become what it must not be", () =>
    withLogging({ log: JSON_LOG }, async (server) => {
      const { folder, port } = server;
      const [file, old] = [join(folder, "tcpmux.log"), join(folder, "old")];
      await exchange(port, "echo\r\n1");
      renameSync(file, old);
      await exchange(port, "echo\r\n2");
      await until(
        "it is in the old file",
        () => recorded(textOf(old)).length >= 2,
      );
      server.signal("SIGUSR1");
      await until("there is a new one", () =>
        readdirSync(folder).includes(
          "tcpmux.log",
        ));
      assertEquals(statSync(file).mode & 0o777, 0o640);
      const before = readFileSync(old, "utf8");
      await exchange(port, "echo\r\n3");
      await until("it is written to", () => recorded(textOf(file)).length > 0);
      assertEquals(readFileSync(old, "utf8"), before);

      renameSync(file, join(folder, "newer"));
      symlinkSync(join(folder, "elsewhere"), file);
      server.signal("SIGUSR1");
      await until("it says what is wrong", () => server.stderr.endsWith("\n"));
      assertMatch(
        server.stderr,
        /^tcpmux: cannot open the log \S+: a symbolic link \(name the file that it leads to\) \(the log goes on in the file that was open before\)\n$/,
      );
      await exchange(port, "echo\r\n4");
      await until(
        "the lines go on",
        () => recorded(textOf(join(folder, "newer"))).length >= 2,
      );
      assert(!readdirSync(folder).includes("elsewhere"));
    }));

  test(
    "is made anew by the user that the server has become",
    needsRoot(),
    () =>
      withFolder(async (folder) => {
        const logs = join(folder, "logs");
        const [file, old] = [join(logs, "tcpmux.log"), join(logs, "old")];
        mkdirSync(logs, { mode: 0o750 });
        const [uid, gid] = String(
          (await mustRun(["id", "-u", "nobody"])).stdout,
        )
          .trim().split(" ").map(Number).concat(12);
        chownSync(logs, uid!, gid!);
        chmodSync(folder, 0o755);
        const server = await startLogging(folder, {
          log: `to = "${file}"\nformat = "json"`,
          keys: `user = "nobody"`,
        });
        try {
          await server.ready();
          await exchange(server.port, "echo\r\n1");
          server.signal("SIGUSR1"); // to the same file
          renameSync(file, old);
          server.signal("SIGUSR1");
          await until("there is a new one", () => existsSync(file));
          await exchange(server.port, "echo\r\n2");
          await until(
            "it is written to",
            () => recorded(textOf(file)).length > 0,
          );
          for (const path of [file, old]) {
            assertEquals(statSync(path).uid, uid);
            assertEquals(statSync(path).mode & 0o777, 0o640);
          }
          assertEquals(statSync(old).gid, gid);
          assertEquals(await server.stop(), 0);
          assertEquals(server.stderr, "");
        } finally {
          await server.stop();
        }
      }),
  );

  test("is where a reload says, unless it cannot be had", () =>
    withLogging({ log: JSON_LOG }, async (server) => {
      const { folder, port } = server;
      const next = join(folder, "next.log");
      const messages = (file: string) =>
        jsonLines(textOf(join(folder, file))).map(({ message }) => message);
      writeTable(folder, `to = "${folder}/gone/l"\nformat = "json"`);
      server.signal("SIGHUP");
      await until("it refuses", () =>
        messages("tcpmux.log").includes(
          "not reloaded, the old table stays in force",
        ));
      writeTable(folder, `to = "${next}"\nformat = "json"`);
      server.signal("SIGHUP");
      await until("it is there", () => messages("next.log").length > 0);
      assertEquals(messages("next.log"), ["reloaded"]);
      assert(!messages("tcpmux.log").includes("reloaded"));
      writeTable(folder, `format = "json"`);
      server.signal("SIGHUP");
      await until(
        "it is on standard error",
        () => server.stderr.includes(`"reloaded"`),
      );
      await exchange(port, "echo\r\nhi");
      assertEquals(messages("next.log"), ["reloaded"]);
    }));
});

describe("logrotate with the file that is packaged", needs("logrotate"), () => {
  test("loses no line under load", () =>
    withFolder(async (folder) => {
      const logs = join(folder, "tcpmux");
      mkdirSync(logs, { mode: 0o750 });
      const file = join(logs, "tcpmux.log");
      const log = `to = "${file}"\nformat = "json"`;
      const server = await startLogging(folder, { log });
      try {
        await server.ready();
        const [conf, bin] = [join(folder, "conf"), join(folder, "bin")];
        const packaged = readFileSync(
          join(ROOT, "packaging/logrotate/tcpmux"),
          "utf8",
        );
        assert(packaged.includes("\n/var/log/tcpmux/*.log {\n"));
        writeFileSync(
          conf,
          packaged.replace("\n/var/log/tcpmux/", `\n${logs}/`),
          { mode: 0o644 },
        );
        // What systemd does to the main process of the unit.
        mkdirSync(bin);
        const words = "kill --kill-whom=main --signal=SIGUSR1 tcpmux.service";
        writeFileSync(
          join(bin, "systemctl"),
          `#!/bin/sh\n[ "$*" = "${words}" ] && kill -USR1 ${server.pid}\n`,
        );
        chmodSync(join(bin, "systemctl"), 0o755);
        const state = join(folder, "state");
        const env = { PATH: `${bin}:${process.env.PATH}` };
        let isOver = false;
        const load = connectOften(server.port, 2000)
          .finally(() => isOver = true);
        let times = 0;
        while (!isOver && times < 5) {
          const seen = statSync(file).size;
          await until(
            "it has grown",
            () => isOver || statSync(file).size > seen,
          );
          const command = findProgram("logrotate")!;
          await mustRun([command, "-f", "-s", state, conf], { env });
          times++;
          await until("it is there anew", () => existsSync(file));
        }
        await load;
        assert(times > 1, `${times} rotations`);
        assertEquals(await server.stop(), 0);
        assertEquals(server.stderr, "");
        const names = readdirSync(logs);
        assertEquals(names.length, times + 1, names.join(" "));
        const all = names.flatMap((name) => {
          const bytes = readFileSync(join(logs, name));
          const text = name.endsWith(".gz") ? gunzipSync(bytes) : bytes;
          return recorded(String(text));
        });
        const last = Math.max(...all);
        assert(last >= 2000);
        assertEquals(
          all.toSorted((a, b) => a - b),
          Array.from({ length: last }, (_, i) => i + 1),
        );
      } finally {
        await server.stop();
      }
    }));
});

describe(
  "a full disk",
  { ...needs("unshare", "mount"), ...needsRoot() },
  () => {
    test("holds up nobody, and every line that is lost is counted", () => {
      const mount = "mkdir {folder}/disk && " +
        'mount -t tmpfs -o size=64k none {folder}/disk && exec "$@"';
      const options = {
        log: `to = "{folder}/disk/log"\nformat = "json"`,
        before: ["unshare", "-m", "sh", "-c", mount, "sh"],
      };
      return withLogging(options, async (server) => {
        const { folder, port, pid } = server;
        const file = `/proc/${pid}/root${folder}/disk/log`;
        const first = join(folder, "first");
        await connectOften(port, 400);
        await until("it says so", () => server.stderr.endsWith("\n"));
        assertMatch(
          server.stderr,
          /^tcpmux: cannot write to the log \S+\/disk\/log: the disk is full \(ENOSPC\) \(the server goes on; the log will say how many lines it lacks\)\n$/,
        );
        assertEquals(await exchange(port, "echo\r\nhi"), "+Go\r\nhi");
        // Lines that wait have been tried: no write is under way any more.
        copyFileSync(file, first);
        truncateSync(file);
        await exchange(port, "echo\r\nhi");
        await until("the loss is said", () => textOf(file).includes(DROPPED));
        await exchange(port, "echo\r\nhi");
        const probes = 1; // who saw whether it answers
        const known = () => {
          const lines = jsonLines(textOf(first) + "\n" + textOf(file));
          const lost = lines.filter(({ message }) => message === DROPPED);
          const sum = lost.reduce((sum, { lines }) => sum + Number(lines), 0);
          return recorded(textOf(first) + "\n" + textOf(file)).length + sum;
        };
        await until(
          () => `all are known: ${known()}, ${server.stderr}`,
          () => known() === 400 + 3 + probes,
          10_000,
        );
        assertEquals(server.stderr.split("\n").length, 2);
      });
    });
  },
);
