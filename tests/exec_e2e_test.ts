import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertEquals, assertMatch } from "@std/assert";
import { writeRsyncConfig } from "./support/rsync.ts";
import { digestAll, writePattern } from "./support/bytes.ts";
import { ask, exchange } from "./support/client.ts";
import { withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { childrenOf } from "./support/processes.ts";
import {
  connectCommand,
  connectScript,
  mustRun,
  quoted,
} from "./support/run.ts";
import { withServer } from "./support/server.ts";
import { makeTree } from "./support/tree.ts";
import { descriptors, descriptorsBackTo, until } from "./support/wait.ts";

describe("programs as services", () => {
  test(
    "git clones a repository from git daemon",
    needs("git"),
    () =>
      withFolder((folder) => {
        const origin = join(folder, "origin");
        const git = (...args: string[]) =>
          mustRun([
            ...["git", "-C", origin, "-c", "user.name=t"],
            ...["-c", "user.email=t@example.org", ...args],
          ]);
        const table = `
[services.git]
exec = ["git", "daemon", "--inetd", "--export-all", "--base-path=${folder}"]
env = { GIT_CONFIG_COUNT = "1", GIT_CONFIG_KEY_0 = "safe.directory", GIT_CONFIG_VALUE_0 = "*" }
`;
        return withServer(table, async (server) => {
          mkdirSync(origin);
          await git("init", "-q");
          makeTree(origin);
          await git("add", "-A");
          await git("commit", "-q", "-m", "all");
          const clone = join(folder, "clone");
          const proxy = connectScript(folder, server.port, "git");
          await mustRun(
            ["git", "clone", "-q", "git://tcpmux.test/origin", clone],
            { env: { GIT_PROXY_COMMAND: proxy } },
          );
          await mustRun(["diff", "-r", "--exclude=.git", origin, clone]);
          await mustRun(["git", "-C", clone, "fsck", "--full"]);
          assertEquals((await server.record("git")).outcome, "served");
        });
      }),
  );

  test(
    "rsync copies trees to and from its daemon",
    needs("rsync"),
    () =>
      withFolder((folder) => {
        const config = join(folder, "rsyncd.conf");
        const table = `
[services.rsync]
exec = ["rsync", "--server", "--daemon", "--config=${config}", "."]
`;
        return withServer(table, async (server) => {
          const [here, there, back] = ["here", "there", "back"]
            .map((name) => join(folder, name)) as [string, string, string];
          makeTree(here);
          mkdirSync(there);
          writeRsyncConfig(config, there);
          const rsync = (from: string, to: string) =>
            mustRun(["rsync", "-a", from, to], {
              env: {
                RSYNC_CONNECT_PROG: connectCommand(server.port, "rsync")
                  .map(quoted).join(" "),
              },
            });
          await rsync(`${here}/`, "rsync://tcpmux.test/tree/");
          await mustRun(["diff", "-r", here, there]);
          await rsync("rsync://tcpmux.test/tree/", `${back}/`);
          await mustRun(["diff", "-r", here, back]);
          const record = await server.record("rsync");
          assertEquals([record.outcome, record.reason], ["served", undefined]);
        });
      }),
  );

  const half = `
[services.digest]
exec = ["sha256sum"]
[services.sort]
exec = ["sort", "-n"]
[services.count]
exec = ["wc", "-c"]
[services.cat]
exec = ["cat"]
`;
  test("the client's end reaches a program, and all of its answer the client", () =>
    withServer(half, async (server) => {
      const total = 10_000_000;
      for (const service of ["digest", "count"]) {
        const asked = await ask(server.port, service);
        const digest = await writePattern(asked.conn, total);
        await asked.conn.closeWrite();
        const wanted = service === "digest" ? `${digest}  -\n` : `${total}\n`;
        assertEquals(await asked.readAll(), wanted);
        asked.conn.close();
        const record = await server.record(service);
        assertEquals(
          [record.outcome, record.bytes_in, record.bytes_out, record.reason],
          ["served", total, wanted.length, undefined],
        );
      }
    }));

  test("sort answers 10 MB when it has got 10 MB", () =>
    withServer(half, async (server) => {
      const numbers = Array.from(
        { length: 1_250_000 },
        (_, i) => 1_000_000 + i,
      );
      const sorted = Buffer.from(numbers.join("\n") + "\n");
      const { conn } = await ask(server.port, "sort");
      await conn.write(Buffer.from(numbers.reverse().join("\n") + "\n"));
      await conn.closeWrite();
      assertEquals(await digestAll(conn), {
        count: sorted.length,
        digest: createHash("sha256").update(sorted).digest("hex"),
      });
      conn.close();
    }));

  test("bytes flow both ways at once, and those behind the name come first", () =>
    withServer(half, async (server) => {
      assertEquals(
        await exchange(server.port, "cat\r\nfirst\nsecond\n"),
        "+Go\r\nfirst\nsecond\n",
      );
      const { conn } = await ask(server.port, "cat");
      const total = 50_000_000;
      const sending = writePattern(conn, total).then(async (digest) => {
        await conn.closeWrite();
        return digest;
      });
      const got = await digestAll(conn);
      assertEquals(got, { count: total, digest: await sending });
      conn.close();
    }));

  test("50 connections leave no zombie and no descriptor", () =>
    withServer(half, async (server) => {
      const one = async () => {
        const answer = await exchange(server.port, "count\r\nabc");
        assertMatch(answer, /^\+Go\r\n3\n$/);
      };
      const rounds = async (count: number) => {
        for (let i = 0; i < count; i++) await Promise.all([one(), one()]);
      };
      await rounds(2); // what a runtime opens once is open then
      const before = descriptors(server.pid);
      await rounds(25);
      await descriptorsBackTo(before, server.pid);
      await until(
        "no child is left",
        () => childrenOf(server.pid).length === 0,
      );
    }));
});
