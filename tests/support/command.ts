import { spawn } from "node:child_process";
import { programUnderTest } from "./server.ts";

/** How a command ended and what it said. */
export interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs a command to its end, for `timeout` ms at the most. */
export function runCommand(
  words: readonly string[],
  options: {
    env?: Record<string, string>;
    cwd?: string;
    uid?: number;
    timeout?: number;
  } = {},
): Promise<Result> {
  const { timeout = 120_000, env, ...rest } = options;
  const child = spawn(words[0]!, words.slice(1), {
    ...rest,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout,
    killSignal: "SIGKILL",
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (bytes) => out += bytes);
  child.stderr.on("data", (bytes) => err += bytes);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out, err }));
  });
}

/** Runs the program under test with these words. */
export function tcpmux(
  words: readonly string[],
  options: Parameters<typeof runCommand>[1] = {},
): Promise<Result> {
  return runCommand([...programUnderTest(), ...words], options);
}
