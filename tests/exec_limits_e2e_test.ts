/** nice, umask and rlimits: what the system says of programs that have them. */
import { readFileSync, writeFileSync } from "node:fs";
import { getPriority } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ask, type Asked, exchange } from "./support/client.ts";
import { runCommand, tcpmux } from "./support/command.ts";
import { withFolder } from "./support/daemon.ts";
import { answer, output, shell, variables } from "./support/exec.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { withOwnUser } from "./support/own_user.ts";
import { until } from "./support/wait.ts";
import { unprivileged } from "./support/unprivileged.ts";
import {
  programHandsOver,
  programUnderTest,
  withServer,
} from "./support/server.ts";

const tools = needs("prlimit", "nice", "setpriv");
const LOOK = `exec = ["cat", "/proc/self/limits", "/proc/self/status",
  "/proc/self/stat"]`;
const LIMITS = `
nice = 7
umask = "027"
[services.NAME.rlimits]
files = 99
processes = 1234
cpu = "20m"
memory = "3GiB"
data = "2GiB"
stack = "4MiB"
file_size = "10MiB"
core = 0
`;

/** As /proc/PID/limits shows them: the soft and the hard one. */
const SET: Record<string, [string, string]> = {
  "open files": ["99", "99"],
  "processes": ["1234", "1234"],
  "cpu time": ["1200", "1201"],
  "address space": [String(3 * 2 ** 30), String(3 * 2 ** 30)],
  "data size": [String(2 ** 31), String(2 ** 31)],
  "stack size": [String(2 ** 22), String(2 ** 22)],
  "file size": [String(10 * 2 ** 20), String(10 * 2 ** 20)],
  "core file size": ["0", "0"],
};

/** What the system tells of a program about itself. */
function told(text: string) {
  const limits = Object.fromEntries(
    [...text.matchAll(/^Max (.+?) {2,}(\S+) +(\S+) /gm)].map(
      ([, name, soft, hard]) => [name!, [soft!, hard!]],
    ),
  );
  const status = Object.fromEntries(
    [...text.matchAll(/^(\w+):\s*(.*)$/gm)].map((
      [, key, value],
    ) => [key!, value!.trim().replaceAll(/\s+/g, " ")]),
  ) as Record<string, string>;
  const stat = text.trim().split("\n").at(-1)!.split(" ");
  return {
    limits,
    status,
    nice: Number(stat[18]),
    leads: stat[0] === stat[4] && stat[0] === stat[5],
  };
}

/** Who a program runs as when it is root that serves, or else as the server. */
const isRoot = process.getuid!() === 0;
const USER = isRoot ? `user = "nobody"\n` : "";

for (const stdio of ["pipe", "socket"]) {
  const keys = `stdio = "${stdio}"\n${USER}`;
  const can = stdio === "pipe" || programHandsOver();

  describe(`a program with limits, stdio = ${stdio}`, {
    skip: !can || tools.skip,
  }, () => {
    const limits = (name: string) => LIMITS.replace("NAME", name);
    const table = `
[services.plain]
${LOOK}
${keys}
[services.limited]
${LOOK}
${keys}${limits("limited")}
[services.env]
exec = ["env", "-0"]
${keys}env = { LD_LIBRARY_PATH = "/nowhere", A = "b=c" }${limits("env")}
[services.plainenv]
exec = ["env", "-0"]
${keys}env = { LD_LIBRARY_PATH = "/nowhere", A = "b=c" }
[services.open]
exec = ["ls", "/proc/self/fd"]
${keys}${limits("open")}
[services.plainopen]
exec = ["ls", "/proc/self/fd"]
${keys}
[services.files]
exec = ["sh", "-c", "umask; cd /tmp; f=$(mktemp -u) && : >$f; stat -c %a $f; rm $f"]
${keys}${limits("files")}
${shell("three", "echo out; exit 3", keys + limits("three"))}
${shell("killed", "echo out; kill -9 $$", keys + limits("killed"))}
${shell("missing", "echo out; no-such-thing", keys + limits("missing"))}
`;

    test("has them, and is otherwise as without", () =>
      withServer(table, async ({ port }) => {
        const plain = told(await answer(port, "plain"));
        const limited = told(await answer(port, "limited"));
        for (const [name, pair] of Object.entries(SET)) {
          assertEquals(limited.limits[name], pair, name);
        }
        assertEquals([plain.nice, limited.nice], [getPriority(), 7]);
        assertEquals(limited.status["Umask"], "0027");
        const mask = process.umask().toString(8).padStart(4, "0");
        assertEquals(plain.status["Umask"], mask);
        assert(plain.leads && limited.leads);
        const same = ["Uid", "Gid", "Groups", "CapEff", "NoNewPrivs"];
        for (const key of [...same, "SigBlk", "SigIgn", "SigCgt"]) {
          assertEquals(limited.status[key], plain.status[key], key);
        }
        if (isRoot) {
          const uid = await output("id", "-u", "nobody");
          assertEquals(limited.status["Uid"], Array(4).fill(uid).join(" "));
        }
        const others = Object.keys(plain.limits).filter((name) =>
          !(name in SET)
        );
        assertEquals(others.length, 8);
        for (const name of others) {
          assertEquals(limited.limits[name], plain.limits[name], name);
        }
      }));

    test("gets nothing of the tools into its environment or descriptors", () =>
      withServer(table, async ({ port }) => {
        const changing = [
          ...["TCPREMOTEPORT", "REMOTE_PORT", "TCPMUX_SESSION_ID"],
          ...["TCPCONNNUM", "TCPMUX_SERVICE"],
        ];
        const found = async (service: string) =>
          Object.entries(variables(await answer(port, service)))
            .filter(([name]) => !changing.includes(name))
            .sort();
        assertEquals(await found("env"), await found("plainenv"));
        assertEquals(
          await answer(port, "open"),
          await answer(port, "plainopen"),
        );
        assertEquals(await answer(port, "files"), "0027\n640\n");
      }));

    test("ends as without", () =>
      withServer(table, async (server) => {
        const reasons = {
          three: "the program exited with status 3",
          killed: "the program was killed by SIGKILL",
          missing: "the program exited with status 127",
        };
        for (const [service, reason] of Object.entries(reasons)) {
          assertEquals(await answer(server.port, service), "out\n");
          const record = await server.record(service);
          assertEquals([record.outcome, record.reason], ["served", reason]);
        }
        const line = await server.logged("stderr");
        assertMatch(String(line.text), /no-such-thing/);
      }));

    test("is held to them", () =>
      withServer(
        shell(
          "cpu",
          "while :; do :; done",
          `${keys}rlimits = { cpu = "1s" }`,
        ) +
          `
[services.files]
exec = ["perl", "-e", """
  while (open(my $f, "<", "/dev/null")) { push @f, $f } print scalar(@f)"""]
${keys}rlimits = { files = 8 }
` +
          shell(
            "size",
            "cd /tmp; f=$(mktemp -u); head -c 9999 /dev/zero >$f; stat -c %s $f; rm $f",
            `${keys}rlimits = { file_size = "1KiB" }`,
          ) +
          shell(
            "memory",
            "perl -e '$x = 1 x 900_000_000; print 2' || echo too much",
            `${keys}rlimits = { memory = "100MiB" }`,
          ),
        async (server) => {
          assertEquals(await answer(server.port, "cpu"), "");
          const { reason } = await server.record("cpu");
          assertEquals(reason, "the program was killed by SIGXCPU");
          assertEquals(await answer(server.port, "files"), "5");
          assertEquals(await answer(server.port, "size"), "1024\n");
          assertEquals(await answer(server.port, "memory"), "too much\n");
        },
      ));
  });
}

describe("limits that are wrong", { skip: tools.skip }, () => {
  const bad = `
[services.low]
exec = ["cat"]
rlimits = { memory = "64KiB" }
[services.high]
exec = ["cat"]
rlimits = { files = 999_999_999 }
`;

  test("are refused at the start and by check, with file and line", () =>
    withFolder(async (folder) => {
      const table = join(folder, "t.toml");
      writeFileSync(table, bad);
      for (
        const words of [["check"], ["--listen", "127.0.0.1:0", "--config"]]
      ) {
        const { code, err } = await tcpmux([...words, table]);
        assertEquals(code, 78);
        assertMatch(
          err,
          /t\.toml:4: services\.low\.rlimits\.memory: no program starts with this limit: /,
        );
        assertMatch(
          err,
          /t\.toml:7: services\.high\.rlimits\.files: cannot be set: prlimit: .* \(the hard limit is \d+; /,
        );
      }
    }));

  test("are refused by a reload, and the old table stays", () =>
    withServer(`[services.old]\ntext = "old"`, async (server, folder) => {
      writeFileSync(join(folder, "services.toml"), bad);
      server.signal("SIGHUP");
      const line = await server.logged(
        "not reloaded, the old table stays in force",
      );
      assertMatch(String(line.reason), /services\.low\.rlimits\.memory: /);
      assertEquals(await exchange(server.port, "old\r\n"), "+Go\r\nold");
    }));

  /** What check says to somebody else than root. */
  async function checkedByNobody(table: string): Promise<string> {
    return await withFolder(async (folder) => {
      const file = join(folder, "t.toml");
      writeFileSync(file, table);
      const { code, err } = await runCommand([
        ...unprivileged(),
        ...programUnderTest(),
        "check",
        file,
      ]);
      assertEquals(code, 78, err);
      return err;
    });
  }

  test(
    "who is not root can neither raise limits nor go first",
    needsRoot(),
    async () => {
      const hard = /^Max processes +\S+ +(\d+)/m.exec(
        readFileSync("/proc/self/limits", "utf8"),
      )?.[1] ?? "1";
      const said = await checkedByNobody(`
[services.first]
exec = ["cat"]
nice = -1
[services.many]
exec = ["cat"]
rlimits = { processes = ${Number(hard) + 1} }
[services.other]
exec = ["cat"]
user = "daemon"
`);
      assertMatch(
        said,
        /t\.toml:4: services\.first\.nice: cannot be set: .*Permission denied \(the server's own nice value is \d+; only root/,
      );
      assertMatch(
        said,
        /t\.toml:7: services\.many\.rlimits\.processes: cannot/,
      );
      assertMatch(
        said,
        /t\.toml:10: services\.other\.user: cannot run a program as daemon: the server does not run as root/,
      );
    },
  );

  test(
    "root cannot be limited in processes",
    needsRoot(),
    () =>
      withFolder(async (folder) => {
        const file = join(folder, "t.toml");
        writeFileSync(
          file,
          `[services.x]\nexec = ["cat"]\nrlimits = { processes = 9 }\n`,
        );
        const { code, err } = await tcpmux(["check", file]);
        assertEquals(code, 78);
        assertMatch(
          err,
          /t\.toml:3: services\.x\.rlimits\.processes: has no effect: the program runs as root/,
        );
      }),
  );
});

describe("a program behind tools", { skip: tools.skip }, () => {
  const unavailable = "-Service temporarily unavailable\r\n";

  test(
    "is refused while its user has too many processes",
    needsRoot(),
    () =>
      withOwnUser((user) =>
        withServer(
          `[services.cat]\nexec = ["cat"]\nuser = "${user}"\n` +
            `rlimits = { processes = 2 }\n[services.other]\ntext = "other"\n`,
          async (server) => {
            const held: Asked[] = [];
            let refused = "";
            while (refused === "" && held.length < 9) {
              const asked = await ask(server.port, "cat");
              if (asked.reply === "+Go") held.push(asked);
              else refused = asked.reply;
            }
            assertEquals(`${refused}\r\n`, unavailable);
            assert(held.length >= 2 && held.length < 9, `${held.length}`);
            const { reason } = await server.logged(
              "connection",
              ({ outcome }) => outcome === "failed",
            );
            assertMatch(
              String(reason),
              /setpriv: .*Resource temporarily unavail/,
            );
            assertEquals(
              await exchange(server.port, "other\r\n"),
              "+Go\r\nother",
            );
            for (const { conn } of held) conn.close();
            await until("it is served again", async () => {
              return await exchange(server.port, "cat\r\nhello") ===
                "+Go\r\nhello";
            });
          },
        )
      ),
  );

  // Found there, it would run as root.
  test(
    "does not have its libraries loaded by them",
    needsRoot(),
    () =>
      withServer(
        `[services.env]\nexec = ["env", "-0"]\nuser = "nobody"\n` +
          `env = { LD_PRELOAD = "/no/such/library.so", LD_DEBUG = "libs" }\n`,
        async (server) => {
          const text = await answer(server.port, "env");
          assertEquals(variables(text)["LD_PRELOAD"], "/no/such/library.so");
          await server.record("env");
          const said = server.log.filter(({ message }) => message === "stderr")
            .map(({ text }) => String(text));
          const complaints = said.filter((line) =>
            /^ERROR: ld.so: .*no.such.library/.test(line)
          );
          assertEquals(complaints.length, 1);
          assert(!said.some((line) => line.includes("setpriv")));
        },
      ),
  );

  test("that ends at once has started, whatever its status", () =>
    withServer(
      [0, 1, 125, 126, 127].map((code) =>
        shell(`exit${code}`, `exit ${code}`, "nice = 3") +
        shell(`said${code}`, `echo oh >&2; exit ${code}`, "nice = 3")
      ).join(""),
      async (server) => {
        for (const code of [0, 1, 125, 126, 127]) {
          for (let round = 0; round < 5; round++) {
            assertEquals(await answer(server.port, `exit${code}`), "");
            assertEquals(await answer(server.port, `said${code}`), "");
          }
        }
        await until("all it said is logged", () =>
          server.log.filter(({ message, text }) =>
            message === "stderr" && text === "oh"
          ).length === 25);
      },
    ));
});
