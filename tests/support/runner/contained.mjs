// Runs one test file so that nothing that it starts outlives it.
import { spawn } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../../../scripts/runtimes.mjs";

const CONTAIN = fileURLToPath(new URL("contain.pl", import.meta.url));

/** Seconds that a file may take, however loaded the machine is. */
export const LIMIT = 600;

/** Seconds in which what it has started ends by itself. */
const GRACE = 5;

/**
 * @param folder where output and report are kept meanwhile. A file takes the
 * output, not a pipe of ours: a pipe that somebody holds open has no end.
 */
export async function runContained({ command, env }, folder) {
  const own = mkdtempSync(join(folder, "file-"));
  const said = join(own, "output");
  const report = join(own, "report");
  const out = openSync(said, "w");
  const start = performance.now();
  try {
    const child = spawn(
      "perl",
      [CONTAIN, report, String(LIMIT), String(GRACE), ...command],
      {
        cwd: ROOT,
        env,
        stdio: ["ignore", out, out],
        detached: true, // a Ctrl-C is for us; it ends when we do
        timeout: (LIMIT + 60) * 1000, // contain.pl has ended long before
        killSignal: "SIGKILL",
      },
    );
    await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    return {
      ...reportOf(report),
      output: readFileSync(said, "utf8"),
      seconds: (performance.now() - start) / 1000,
    };
  } finally {
    closeSync(out);
    rmSync(own, { recursive: true, force: true });
  }
}

function reportOf(file) {
  const report = { status: 1, late: false, cpu: 0, left: [] };
  let lines;
  try {
    lines = readFileSync(file, "utf8").split("\n");
  } catch {
    return { ...report, late: true }; // it was killed, and could not tell
  }
  for (const line of lines) {
    const [, word, value] = /^(\w+) ?(.*)$/.exec(line) ?? [];
    if (word === "late") report.late = true;
    else if (word === "left") report.left.push(value);
    else if (word !== undefined) report[word] = Number(value);
  }
  return report;
}
