// One measurement: the load generator against one server.
import { built } from "./build.mjs";
import { forgetConnections } from "./metrics.mjs";
import { start } from "./processes.mjs";
import { COUNTER } from "./worlds.mjs";

/**
 * Runs one mode of the load generator to its end; gives what it reports.
 * `settings` has the seconds that are measured, and those of the load before;
 * `before` stands before its command.
 */
export async function load(mode, target, flags, settings, before = []) {
  forgetConnections();
  const { seconds, warmup = seconds / 4 } = settings;
  const time = ["--seconds", seconds, "--warmup", warmup];
  const words = [mode, ...target, ...flags, ...time, "--counter", COUNTER];
  const program = start([...before, built("load"), ...words.map(String)], {
    output: "stdout",
  });
  let output = "";
  program.child.stdout.on("data", (bytes) => output += bytes);
  await new Promise((resolve) => program.child.once("close", resolve));
  await program.stop();
  return resultIn(output, program);
}

/** Reads a line of the load generator; a failure that it counted is ours. */
export function resultIn(line, program) {
  let result;
  try {
    result = JSON.parse(line);
  } catch {
    throw new Error(`the load generator ${program.gone ?? "says nothing"}`);
  }
  if (result.failures > 0) {
    throw new Error(`${result.failures} failed, the first: ${result.failure}`);
  }
  return result;
}

/**
 * A load generator that is told what to do next on its standard input.
 *
 * @param cwd where it runs, and what it starts
 */
export function loadSession(args, cwd) {
  const program = start([built("load"), ...args.map(String)], {
    output: "stdout",
    input: true,
    cwd,
  });
  program.child.stdin.on("error", () => {}); // told by the missing answer
  const lines = [];
  let wake = () => {};
  let rest = "";
  program.child.stdout.on("data", (bytes) => {
    const parts = (rest + bytes).split("\n");
    rest = parts.pop();
    lines.push(...parts);
    wake();
  });
  program.ended.then(() => wake());
  return {
    async next() {
      while (lines.length === 0 && !program.gone) {
        await new Promise((resolve) => wake = resolve);
      }
      return resultIn(lines.shift(), program);
    },
    say: (text) => program.child.stdin.write(text),
    async stop() {
      program.child.stdin.end();
      const timer = setTimeout(() => program.stop(), 5000);
      await program.ended;
      clearTimeout(timer);
      await program.stop();
    },
  };
}
