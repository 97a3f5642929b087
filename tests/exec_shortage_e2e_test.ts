/** A server that has no processes or descriptors left for programs. */
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ask, exchange } from "./support/client.ts";
import { runCommand } from "./support/command.ts";
import { needs, needsRoot } from "./support/needs.ts";
import {
  programHandsOver,
  programUnderTest,
  type RunningServer,
  withServer,
} from "./support/server.ts";
import { unprivileged } from "./support/unprivileged.ts";
import { until } from "./support/wait.ts";

const OTHER = `[services.other]\ntext = "other"\n`;
const unavailable = "-Service temporarily unavailable\r\n";

/** Sets a soft limit of a server that runs, as its own user may. */
async function limit(server: RunningServer, option: string): Promise<void> {
  const pid = String(server.pid);
  const words = [...unprivileged(), "prlimit", "--pid", pid, option];
  const { code, err } = await runCommand(words);
  assertEquals([code, err], [0, ""]);
}

/** The limit under which so many more descriptors can be opened. */
function limitForMore(server: RunningServer, count: number): number {
  const open = new Set(readdirSync(`/proc/${server.pid}/fd`).map(Number));
  let most = 0;
  for (let free = 0; free < count; most++) if (!open.has(most)) free++;
  return most;
}

async function othersGoOn(server: RunningServer): Promise<void> {
  assertEquals(await exchange(server.port, "other\r\n"), "+Go\r\nother");
}

async function recovers(server: RunningServer): Promise<void> {
  for (const service of ["cat", "env"]) {
    await until(`${service} is served again`, async () => {
      const text = await exchange(server.port, `${service}\r\n`);
      return text.startsWith("+Go\r\n");
    });
  }
}

const options = {
  skip: needsRoot().skip ?? needs("prlimit", "setpriv").skip,
};

const program = [...unprivileged(), ...programUnderTest()];

/** Bun ends when it gets no thread, which counts as a process: it needs none. */
const env = {
  BUN_JSC_useConcurrentGC: "0",
  BUN_JSC_useConcurrentJIT: "0",
  BUN_JSC_numberOfGCMarkers: "1",
};

describe("a server that is out of processes", options, () => {
  for (const stdio of ["pipe", "socket"]) {
    if (stdio === "socket" && !programHandsOver()) continue;
    const table = `[services.cat]\nexec = ["cat"]\nstdio = "${stdio}"\n` +
      `[services.env]\nexec = ["env"]\nnice = 19\n${OTHER}`;

    test(`refuses programs and recovers, stdio = ${stdio}`, () =>
      withServer(table, async (server) => {
        await recovers(server);
        await limit(server, "--nproc=1:");
        for (let round = 0; round < 20; round++) {
          // On the socket a program is started behind the reply.
          const reply = await exchange(server.port, "cat\r\n").catch(() => "");
          if (stdio === "pipe") assertEquals(reply, unavailable);
          assertEquals(await exchange(server.port, "env\r\n"), unavailable);
          await othersGoOn(server);
        }
        const failed = server.log.filter(({ outcome }) => outcome === "failed");
        assert(failed.length >= 20);
        for (const { reason } of failed) {
          assertMatch(
            String(reason),
            /^cannot start \/\S+: out of file descriptors or processes/,
          );
        }
        await limit(server, "--nproc=1000:");
        await recovers(server);
      }, { program, env }));
  }
});

describe("a server that is out of descriptors", options, () => {
  const table =
    `[services.cat]\nexec = ["cat"]\n[services.env]\nexec = ["env"]\n${OTHER}`;

  test("refuses programs and recovers", () =>
    withServer(table, async (server) => {
      await recovers(server);
      const before = limitForMore(server, 500);
      // Enough for a client, and for no program besides.
      await limit(server, `--nofile=${limitForMore(server, 2)}:`);
      for (let round = 0; round < 20; round++) {
        for (const service of ["cat", "env"]) {
          const asked = await ask(server.port, service);
          assertEquals(`${asked.reply}\r\n`, unavailable);
          asked.conn.close();
        }
        await othersGoOn(server);
      }
      const { reason } = await server.logged(
        "connection",
        ({ outcome }) => outcome === "failed",
      );
      assertMatch(String(reason), /out of file descriptors or processes/);
      await limit(server, `--nofile=${before}:`);
      await recovers(server);
    }, { program }));
});
