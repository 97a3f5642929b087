// The benchmark once more, as a program of its own.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const SELF = fileURLToPath(new URL("run.mjs", import.meta.url));

/**
 * Runs it with these arguments, behind these words, to its end; gives its exit
 * code. What it prints goes where ours goes.
 */
export async function rerun(args, before = [], env = {}) {
  const [command, ...words] = [...before, process.execPath, SELF, ...args];
  const child = spawn(command, words, {
    stdio: "inherit",
    env: { ...process.env, ...env },
  });
  // It cleans up by itself, if it is told to.
  const end = () => child.kill("SIGTERM");
  process.once("exit", end);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => resolve(code ?? 1));
    });
  } finally {
    process.off("exit", end);
  }
}
