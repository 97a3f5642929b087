// Runs the test files on Deno, Bun and Node; the end-to-end tests also, or in
// place of the sources, against the bundle and the Bun binary:
//
//   npm test [-- [--unit] [--on=deno,bun,node22,node26,built] [FILE…]]
//
// docs/testing.md tells what is run where, and how. It installs what it needs
// from npm. Programs that only some tests need (sshd, redis-server, nginx, …)
// come from the system: tests that miss one are skipped and say so, or fail
// with TCPMUX_TEST_REQUIRE=1.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as runtimes from "../scripts/runtimes.mjs";
import { LIMIT, runContained } from "./support/runner/contained.mjs";
import { countsIn } from "./support/runner/counts.mjs";
import { failuresIn } from "./support/runner/failures.mjs";
import {
  allFiles,
  isQuick,
  runsAlone,
  runsOf,
} from "./support/runner/plan.mjs";
import { runAll } from "./support/runner/schedule.mjs";

runtimes.install();

const given = process.argv.slice(2);
const named = given.filter((word) => !word.startsWith("--"));
const files = (named.length > 0 ? named : allFiles())
  .filter((file) => isQuick(file) || !given.includes("--unit"));
const runs = runsOf({
  on: given.find((word) => word.startsWith("--on="))?.slice(5).split(","),
  files,
  // What is asked for by its name runs on all.
  everywhere: named.length > 0,
}).filter(({ title, command }) => {
  if (command?.[0] !== undefined) return true;
  console.log(`${title}: not run, npm has none for this machine`);
  return false;
});
if (runs.some(({ program }) => program !== undefined)) {
  if (runtimes.run(process.execPath, ["scripts/build.mjs"]) !== 0) {
    process.exit(1);
  }
}

for (const run of runs) {
  run.totals = { passed: 0, failed: 0, skipped: 0, seconds: 0, cpu: 0 };
}
const jobs = files.flatMap((file) =>
  runs.filter((run) => run.files.includes(file))
    .map((run) => ({ run, file, alone: runsAlone(file) }))
);

const start = performance.now();
const folder = mkdtempSync(join(tmpdir(), "tcpmux-run-"));
/** Said once more at the end, where one looks first. */
const failures = [];
const skipReasons = new Set();
let done = 0;
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
// All that runs goes with us.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => process.exit(1));
}
await runAll(jobs, perform).catch((error) => {
  console.error(error);
  process.exit(1);
});

for (const { title, text } of failures) {
  console.log(`\n=== failed: ${title}\n${text}`);
}
console.log(`\n${[...skipReasons].map((line) => `${line}\n`).join("")}`);
for (const { title, files, totals } of runs) {
  const { passed, failed, skipped } = totals;
  console.log(
    `${failed === 0 && passed > 0 ? "ok  " : "FAIL"} ${title}, ` +
      `${files.length} files: ${passed} passed, ${failed} failed, ` +
      `${skipped} skipped (${times(totals)})`,
  );
}
for (const { title, names } of failures) {
  for (const name of names) console.log(`FAIL ${title}: ${name}`);
}
console.log(`${Math.round((performance.now() - start) / 1000)} s in all`);
const sum = (key) => runs.reduce((all, { totals }) => all + totals[key], 0);
console.log(
  `${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`,
);
// A run without a single test that passed is a failure too.
const good = runs.length > 0 && failures.length === 0 &&
  runs.every(({ totals }) => totals.passed > 0);
process.exitCode = good ? 0 : 1;

/** Runs one file and adds what came of it. */
async function perform({ run, file }) {
  const result = await runContained(
    { command: [...run.command, file], env: environment(run) },
    folder,
  );
  const counts = countsIn(result.output);
  const wrong = whatIsWrong(result, counts);
  // What the test runner has not counted is a failure of the file.
  if (wrong.length > 0 && counts.failed === 0) counts.failed = 1;
  const ok = counts.failed === 0;
  for (const key of ["passed", "failed", "skipped"]) {
    run.totals[key] += counts[key];
  }
  run.totals.seconds += result.seconds;
  run.totals.cpu += result.cpu;
  for (const line of result.output.match(/^skipped: .*$/gm) ?? []) {
    skipReasons.add(line);
  }
  const title = `${run.title}, ${file}`;
  const { passed, failed, skipped } = counts;
  console.log(
    `${ok ? "ok  " : "FAIL"} ${++done}/${jobs.length} ` +
      `${title}: ${passed} passed` +
      `${failed > 0 ? `, ${failed} failed` : ""}` +
      `${skipped > 0 ? `, ${skipped} skipped` : ""} (${times(result)})`,
  );
  if (ok) return;
  console.log(`\n${result.output}\n${wrong.join("\n")}\n`);
  const { text, names } = failuresIn(result.output);
  failures.push({
    title,
    text: [text || result.output.slice(-3000), ...wrong].join("\n"),
    names: names.length + wrong.length > 0 ? [...names, ...wrong] : ["failed"],
  });
}

/** What is wrong with a file, besides tests that have failed. */
function whatIsWrong({ status, late, left }, { failed }) {
  return [
    ...late ? [`killed after ${LIMIT} s`] : [],
    ...status !== 0 && failed === 0 && !late ? [`exit ${status}`] : [],
    ...left.map((words) => `it has left behind, and we have killed: ${words}`),
  ];
}

function times({ seconds, cpu }) {
  return `${seconds.toFixed(1)} s, ${cpu.toFixed(1)} s of processor`;
}

function environment({ program }) {
  const env = {
    ...process.env,
    NO_COLOR: "1",
    // Deno would look for a newer one, from each server that a test starts.
    DENO_NO_UPDATE_CHECK: "1",
    // Else Node 26 strips and compiles all sources at each start.
    NODE_COMPILE_CACHE: join(runtimes.ROOT, "node_modules/.cache/node-compile"),
  };
  delete env.XDG_RUNTIME_DIR; // where servers of this user may be
  if (program !== undefined) env.TCPMUX_TEST_PROGRAM = JSON.stringify(program);
  return env;
}
