// Runs every test file on Deno, Bun and Node (22 and the newest), then the
// end-to-end tests once more against the bundle and the Bun binary:
//
//   npm test [-- [--on=deno,bun,node22,node26,built] [FILE…]]
//
// It installs what it needs from npm. Programs that only some tests need
// (sshd, redis-server, nginx, …) come from the system: tests that miss one
// are skipped and say so, or fail with TCPMUX_TEST_REQUIRE=1.
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import * as runtimes from "../scripts/runtimes.mjs";
import { failuresIn } from "./failures.mjs";

const { bun, deno, install, node, ROOT, systemNode } = runtimes;
install();

const given = process.argv.slice(2);
const on = given.find((word) => word.startsWith("--on="))?.slice(5).split(",");
const named = given.filter((word) => !word.startsWith("--"));
const all = readdirSync(join(ROOT, "tests"))
  .filter((name) => name.endsWith("_test.ts"))
  .map((name) => join("tests", name));
const files = named.length > 0 ? named : all;
// What is built is the same code: it is not attacked and worn out once more.
const endToEnd = files.filter((name) =>
  name.endsWith("_e2e_test.ts") &&
  (named.length > 0 || !/\b(hostile|soak|guard|xinetd)_/.test(name))
);

const nodeTest = (binary) => [
  binary,
  "--test",
  "--test-reporter=spec",
  "--test-timeout=300000",
];
const denoTest = [deno, "test", "-A", "--no-lock", "--no-check", "--quiet"];
const bunTest = [bun, "test", "--timeout=300000"];

/** A run: a name for `--on`, a title, a command and the program it tests. */
const runs = [];
const add = (name, title, command, list, program) => {
  if (command[0] === undefined) {
    console.log(`${title}: not run, npm has none for this machine`);
  } else if (list.length > 0 && (on === undefined || on.includes(name))) {
    runs.push({ title, command: [...command, ...list], program });
  }
};
add("deno", "Deno", denoTest, files);
add("bun", "Bun", bunTest, files);
add("node22", "Node 22", nodeTest(node(22)), files);
add("node26", "Node 26", nodeTest(node(26)), files);

const bundle = join(ROOT, "dist", "tcpmux.mjs");
const built = [
  ["the bundle on the machine's own Node", [systemNode(), bundle]],
  ["the bundle on Deno", [deno, "run", "-A", "--no-lock", bundle]],
  ["the bundle on Bun", [bun, "--no-env-file", bundle]],
  ["the Bun binary", [join(ROOT, "dist", "tcpmux")]],
];
for (const [title, program] of built) {
  add("built", title, bunTest, endToEnd, program);
}
if (runs.some(({ program }) => program !== undefined)) {
  if (runtimes.run(process.execPath, ["scripts/build.mjs"]) !== 0) {
    process.exit(1);
  }
}

// Two at a time: most tests wait for something most of the time. What a run
// says is shown when it ends, so that it stays in one piece.
const AT_A_TIME = Math.min(2, availableParallelism());
let failedRuns = 0;
const totals = { passed: 0, failed: 0, skipped: 0 };
const summary = [];
/** Said once more at the end, where one looks first. */
const failures = [];
const waiting = [...runs];
await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
  for (let next; (next = waiting.shift()) !== undefined;) await runOne(next);
}));
for (const { title, text } of failures) {
  console.log(`\n=== failed: ${title}\n${text}`);
}
console.log(`\n${summary.join("\n")}`);
for (const { title, names } of failures) {
  for (const name of names) console.log(`FAIL ${title}: ${name}`);
}
const failed = Math.max(totals.failed, failedRuns);
console.log(
  `${totals.passed} passed, ${failed} failed, ${totals.skipped} skipped`,
);
process.exit(failedRuns === 0 && runs.length > 0 ? 0 : 1);

async function runOne({ title, command, program }) {
  console.log(`... ${title}`);
  const start = Date.now();
  const { status, output } = await outputOf(command, program);
  console.log(`\n=== ${title}\n${output}`);
  const counts = countsIn(output);
  const seconds = Math.round((Date.now() - start) / 1000);
  // A run without a single test that passed is a failure too.
  const ok = status === 0 && counts.passed > 0 && counts.failed === 0;
  if (!ok) {
    failedRuns++;
    failures.push({ title, ...failuresIn(output) });
  }
  for (const key of Object.keys(totals)) totals[key] += counts[key];
  summary.push(
    `${ok ? "ok  " : "FAIL"} ${title}: ${counts.passed} passed, ` +
      `${counts.failed} failed, ${counts.skipped} skipped (${seconds} s)`,
  );
}

/** Runs one command to its end and keeps what it says. */
function outputOf([command, ...args], program) {
  const env = {
    ...process.env,
    NO_COLOR: "1",
    // Deno would look for a newer one, from each server that a test starts.
    DENO_NO_UPDATE_CHECK: "1",
  };
  if (program !== undefined) env.TCPMUX_TEST_PROGRAM = JSON.stringify(program);
  if (!existsSync(command)) throw new Error(`there is no ${command}`);
  const child = spawn(command, args, {
    cwd: ROOT,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes) => output += bytes);
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, output }));
  });
}

/** Reads the last lines of any of the three runners. */
function countsIn(output) {
  // Deno counts what stands at the top of a file, and steps below it.
  const ofDeno =
    /(\d+) passed(?: \((\d+) steps?\))? \| (\d+) failed(?: \((\d+) steps?\))?(?: \| (\d+) ignored)?(?: \((\d+) steps?\))?/
      .exec(output);
  if (ofDeno) {
    const [, passed, steps, failed, failedSteps, ignored, ignoredSteps] = ofDeno
      .map((count) => Number(count ?? 0));
    return {
      passed: steps || passed,
      failed: failedSteps || failed,
      skipped: ignoredSteps || ignored,
    };
  }
  const last = (pattern) =>
    Number([...output.matchAll(pattern)].at(-1)?.[1] ?? 0);
  return {
    passed: last(/^ℹ pass (\d+)$/gm) || last(/^ *(\d+) pass$/gm),
    failed: last(/^ℹ fail (\d+)$/gm) || last(/^ *(\d+) fail$/gm),
    skipped: last(/^ℹ skipped (\d+)$/gm) || last(/^ *(\d+) skip$/gm),
  };
}
