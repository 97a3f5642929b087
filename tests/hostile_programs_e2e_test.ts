/** Programs that misbehave in every way, on pipes and on the socket. */
import { describe, test } from "node:test";
import { shell } from "./support/exec.ts";
import { assail } from "./support/hostile.ts";
import { programHandsOver } from "./support/server.ts";
import {
  HEALTHY,
  healthy,
  ROOM,
  unharmed,
  withVictim,
} from "./support/unharmed.ts";

/** What the program does, and what its clients do. */
const CASES: [string, string, string[]][] = [
  ["that exits at once", "exit 1", ["all"]],
  ["that exits at once, on much input", "exit 1", ["flood:0.2:200000", "all"]],
  ["that kills itself", "kill -9 $$", ["all"]],
  ["that never reads", "exec sleep 1", ["flood:0.2:2000000", "all"]],
  ["that never writes", "exec cat >/dev/null", ["send:abc", "end", "all"]],
  ["that closes its output", "exec >&-; sleep 0.5", ["all"]],
  ["that closes its input", "exec <&-; sleep 0.5; echo a", [
    ...["flood:0.2:2000000", "all"],
  ]],
  ["that forks and leaves", "sleep 90 & echo left", ["all"]],
  ["that leaves its session too", "setsid sleep 2 & echo left", ["all"]],
  // For who closes with nothing on the way has only ended its side.
  ["that ignores SIGTERM", `trap "" TERM; while :; do echo; sleep 0.1; done`, [
    ...["line", "reset"],
  ]],
];

/** All of them at once, each with a crowd of clients. */
function unharmedByAll(keys = ""): Promise<void> {
  const programs = CASES.map(([, script], i) => shell(`p${i}`, script, keys));
  const table = `[server]\n${ROOM}\n${HEALTHY}\n${programs.join("")}`;
  return withVictim(table, (server) =>
    unharmed(server, async () => {
      await Promise.all(CASES.map(([, , steps], i) => {
        const all = [`send:p${i}\\r\\n`, "line", ...steps];
        return assail(server.port, { count: 10 }, ...all);
      }));
      await healthy(server.port);
    }));
}

const what = CASES.map(([name]) => name.replace("that ", "")).join("; ");

describe(`programs that misbehave leave nothing behind: ${what}`, () => {
  test("on pipes", () => unharmedByAll());

  test(
    "on the socket",
    { skip: !programHandsOver() },
    () => unharmedByAll(`stdio = "socket"`),
  );
});
