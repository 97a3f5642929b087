import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { writeRsyncConfig } from "./support/rsync.ts";
import { pattern } from "./support/bytes.ts";
import { withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { mustRun, run } from "./support/run.ts";
import { type RunningServer, withServer } from "./support/server.ts";
import { type Sshd, withSshd } from "./support/sshd.ts";
import { makeTree } from "./support/tree.ts";
import { until } from "./support/wait.ts";
import { connectFile, connectLine } from "./support/way_in.ts";

/** Runs `use` with an sshd and our server in front of it. */
function withSsh(
  use: (sshd: Sshd, server: RunningServer, folder: string) => Promise<void>,
): Promise<void> {
  return withSshd((sshd) =>
    withServer(
      `[services.ssh]\nconnect = "127.0.0.1:${sshd.port}"\n`,
      (server, folder) => use(sshd, server, folder),
    )
  );
}

describe("ssh over our client and our server", needs("ssh", "sshd"), () => {
  test("runs a command: its input, both outputs, its status", () =>
    withSsh(async (sshd, server) => {
      const ssh = sshd.client(connectLine(server.port, "ssh"));
      const ran = await run([...ssh, "cat; echo err >&2; exit 7"], {
        input: "in\n",
      });
      assertEquals(
        [ran.code, String(ran.stdout), ran.stderr],
        [7, "in\n", "err\n"],
      );
      const record = await server.record("ssh");
      assertEquals([record.outcome, record.reason], ["served", undefined]);
    }));

  test("holds a session on a terminal", () =>
    withSsh(async (sshd, server) => {
      const [ssh = "", ...words] = sshd.client(
        connectLine(server.port, "ssh"),
      );
      const ran = await run([ssh, "-tt", ...words, "sh"], {
        input: "test -t 0 && echo terminal $((6 * 7))\nexit 3\n",
      });
      assertEquals(ran.code, 3, ran.stderr);
      assertMatch(String(ran.stdout), /terminal 42\r$/m);
    }));

  test("holds several sessions at once", () =>
    withSsh(async (sshd, server) => {
      const ssh = sshd.client(connectLine(server.port, "ssh"));
      const sessions = [1, 2, 3, 4].map(async (number) => {
        const ran = await mustRun([...ssh, `seq ${number}00000`]);
        return String(ran.stdout).trimEnd().split("\n").length;
      });
      assertEquals(
        await Promise.all(sessions),
        [100_000, 200_000, 300_000, 400_000],
      );
    }));

  test("shows the user why it is refused", () =>
    withSsh(async (sshd, server) => {
      const ssh = sshd.client(connectLine(server.port, "no-ssh"));
      const ran = await run([...ssh, "true"]);
      assertEquals(ran.code, 255);
      assertMatch(ran.stderr, /refuses "no-ssh": Service not available/);
    }));

  test(
    "scp copies 100 MB there and back",
    needs("scp"),
    () =>
      withSsh(async (sshd, server, folder) => {
        const options = sshd.options(connectLine(server.port, "ssh"));
        const scp = (from: string, to: string) =>
          mustRun(["scp", "-q", ...options, from, to], { timeout: 120_000 });
        const [here, there, back] = ["here", "there", "back"]
          .map((name) => join(folder, name)) as [string, string, string];
        const data = pattern(100_000_000);
        writeFileSync(here, data);
        await scp(here, `tcpmux.test:${there}`);
        await scp(`tcpmux.test:${there}`, back);
        const digest = createHash("sha256").update(data).digest("hex");
        for (const file of [there, back]) {
          const copy = readFileSync(file);
          assertEquals(
            createHash("sha256").update(copy).digest("hex"),
            digest,
            `${file} has ${copy.length} bytes`,
          );
        }
        // As the server has counted them, each copy went through it.
        for (const way of ["bytes_in", "bytes_out"]) {
          const record = await server.logged(
            "connection",
            (line) => Number(line[way]) > data.length,
          );
          assertEquals(record.outcome, "served");
        }
      }),
  );
});

describe("git over our client and our server", needs("git"), () => {
  /** Runs `use` with a git daemon that serves the folder `origin`. */
  function withGit(
    use: (
      git: (...args: string[]) => ReturnType<typeof run>,
      server: RunningServer,
      folder: string,
    ) => Promise<void>,
  ): Promise<void> {
    return withFolder((folder) =>
      withServer(
        `
[services.git]
exec = ["git", "daemon", "--inetd", "--export-all", "--enable=receive-pack", "--base-path=${folder}"]
env = { GIT_CONFIG_COUNT = "1", GIT_CONFIG_KEY_0 = "safe.directory", GIT_CONFIG_VALUE_0 = "*" }
`,
        (server) => {
          const identity = ["-c", "user.name=t", "-c", "user.email=t@t.test"];
          const env = {
            GIT_PROXY_COMMAND: connectFile(folder, server.port, "git"),
          };
          return use(
            (...args) => run(["git", ...identity, ...args], { env }),
            server,
            folder,
          );
        },
      )
    );
  }

  test("clones, pushes and fetches", () =>
    withGit(async (git, server, folder) => {
      const [origin, clone, other] = ["origin", "clone", "other"]
        .map((name) => join(folder, name)) as [string, string, string];
      const url = "git://tcpmux.test/origin";
      const must = async (...args: string[]) => {
        const ran = await git(...args);
        assertEquals(ran.code, 0, `git ${args.join(" ")}: ${ran.stderr}`);
      };
      await must("init", "-q", "-b", "main", origin);
      makeTree(origin);
      await must("-C", origin, "add", "-A");
      await must("-C", origin, "commit", "-q", "-m", "all");
      for (const copy of [clone, other]) await must("clone", "-q", url, copy);
      await mustRun(["diff", "-r", "--exclude=.git", origin, clone]);

      writeFileSync(join(clone, "new"), pattern(3_000_000));
      await must("-C", clone, "add", "-A");
      await must("-C", clone, "commit", "-q", "-m", "new");
      await must("-C", clone, "push", "-q", "origin", "main:pushed");
      await must("-C", other, "fetch", "-q", "origin", "pushed");
      await must("-C", other, "merge", "-q", "FETCH_HEAD");
      await mustRun(["diff", "-r", "--exclude=.git", clone, other]);
      await must("-C", other, "fsck", "--full");
      const outcomes = () =>
        server.log.filter(({ message }) => message === "connection")
          .map(({ outcome }) => outcome);
      await until("four sessions are logged", () => outcomes().length === 4);
      assertEquals(outcomes(), Array(4).fill("served"));
    }));

  test("tells of a repository that is not there", () =>
    withGit(async (git, _server, folder) => {
      const url = "git://tcpmux.test/nothing";
      const ran = await git("clone", "-q", url, join(folder, "clone"));
      assertEquals(ran.code, 128);
      assertMatch(ran.stderr, /not exported|access denied|not found/);
    }));
});

describe("rsync over our client and our server", needs("rsync"), () => {
  test("copies a tree there and back, and then only what is new", () =>
    withFolder((folder) => {
      const config = join(folder, "rsyncd.conf");
      return withServer(
        `
[services.rsync]
exec = ["rsync", "--server", "--daemon", "--config=${config}", "."]
`,
        async (server) => {
          const [here, there, back] = ["here", "there", "back"]
            .map((name) => join(folder, name)) as [string, string, string];
          makeTree(here);
          mkdirSync(there);
          writeRsyncConfig(config, there);
          const rsync = async (from: string, to: string) => {
            const env = {
              RSYNC_CONNECT_PROG: connectLine(server.port, "rsync"),
            };
            const words = ["rsync", "-a", "--delete", "--itemize-changes"];
            const ran = await mustRun([...words, from, to], { env });
            return String(ran.stdout);
          };
          const url = "rsync://tcpmux.test/tree/";
          await rsync(`${here}/`, url);
          await mustRun(["diff", "-r", here, there]);
          await rsync(url, `${back}/`);
          await mustRun(["diff", "-r", here, back]);
          writeFileSync(join(here, "new"), "new\n");
          const changes = (await rsync(`${here}/`, url)).trim().split("\n");
          assert(changes.length <= 2, changes.join("\n")); // "." and "new"
          assert(changes.some((line) => line.endsWith(" new")));
          await mustRun(["diff", "-r", here, there]);
        },
      );
    }));
});
