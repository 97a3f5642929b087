/** That nothing which a test file starts outlives it. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { withFolder } from "./support/daemon.ts";
import { needs } from "./support/needs.ts";
import { isAlive } from "./support/processes.ts";
import { ROOT } from "./support/server.ts";
import { until } from "./support/wait.ts";

const CONTAIN = join(ROOT, "tests/support/runner/contain.pl");

/** Leaves its group and session, says which process it is, and stays. */
const LEAVE = `setsid sh -c 'echo $$ >> "$0/pids"; exec sleep 1000' "$0" &
  while ! [ -s "$0/pids" ]; do sleep 0.01; done`;

/** Runs a script, whose `$0` is the folder, contained. */
function contained(folder: string, limit: number, script: string) {
  const words = [CONTAIN, join(folder, "report"), String(limit), "0.2"];
  words.push("sh", "-c", script, folder);
  const child = spawn("perl", words, { stdio: "ignore", detached: true });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  return { child, ended };
}

const linesOf = (folder: string, file: string) =>
  readFileSync(join(folder, file), "utf8").trim().split("\n");

/** Runs it to its end. @returns its report but for times, and who was left */
async function reportOf(limit: number, script: string) {
  return await withFolder(async (folder) => {
    await contained(folder, limit, script).ended;
    const report = linesOf(folder, "report")
      .filter((line) => !line.startsWith("cpu "));
    return { report, pids: linesOf(folder, "pids").map(Number) };
  });
}

describe("a command that is contained", needs("perl", "setsid"), () => {
  test("has its status reported", async () => {
    const { report } = await reportOf(60, 'echo 1 > "$0/pids"; exit 3');
    assertEquals(report, ["status 3"]);
  });

  test("leaves nothing behind, not even in a session of its own", async () => {
    const { report, pids } = await reportOf(60, LEAVE);
    assertEquals(report, ["status 0", "left sleep 1000"]);
    assertEquals(pids.map(isAlive), [false]);
  });

  test("is killed with all its own when it takes too long", async () => {
    const { report, pids } = await reportOf(4, `${LEAVE}; sleep 1000`);
    assertEquals(report, ["status 137", "late"]);
    assertEquals(pids.map(isAlive), [false]);
  });

  test("ends with all its own when it is told to", async () => {
    await withFolder(async (folder) => {
      const { child, ended } = contained(folder, 60, `${LEAVE}; sleep 1000`);
      const pid = await until("it has left", () => firstOf(folder));
      assert(isAlive(pid));
      process.kill(child.pid!, "SIGTERM");
      await ended;
      assertEquals(isAlive(pid), false);
    });
  });
});

function firstOf(folder: string): number | undefined {
  try {
    return Number(linesOf(folder, "pids")[0]);
  } catch {
    return undefined; // not yet
  }
}
