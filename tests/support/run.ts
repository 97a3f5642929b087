import { spawn } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "./server.ts";

/** What a program left behind. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end, or kills it after `timeout` milliseconds. */
export function run(
  command: readonly string[],
  options: {
    input?: string | Uint8Array;
    env?: Record<string, string>;
    timeout?: number;
  } = {},
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), {
      env: { ...process.env, ...options.env },
      timeout: options.timeout ?? 120_000,
      killSignal: "SIGKILL",
    });
    const stdout: Buffer[] = [];
    let stderr = "";
    child.stdout.on("data", (bytes: Buffer) => stdout.push(bytes));
    child.stderr.on("data", (bytes: Buffer) => stderr += String(bytes));
    child.stdin.on("error", () => {}); // it may not want its input
    child.stdin.end(options.input ?? "");
    child.once("error", reject);
    child.once("close", (code) => {
      resolve({ code, stdout: Buffer.concat(stdout), stderr });
    });
  });
}

/** As `run`, and a status other than 0 is an error. */
export async function mustRun(
  ...[command, options]: Parameters<typeof run>
): Promise<Ran> {
  const ran = await run(command, options);
  if (ran.code === 0) return ran;
  const said = `${ran.stderr}${String(ran.stdout).slice(0, 2_000)}`;
  throw new Error(`${command.join(" ")}: exit ${ran.code}: ${said}`);
}

/** The words that run one of our scripts on this very runtime. */
export function scriptWords(script: string): string[] {
  const runtime = "Deno" in globalThis
    ? [process.execPath, "run", "-A", "--no-lock", "--no-check"]
    : [process.execPath];
  return [...runtime, join(ROOT, script)];
}

/** The words that are a connection to a service, for others to start. */
export function connectCommand(port: number, service: string): string[] {
  const script = scriptWords("tests/support/mux_connect.mjs");
  return [...script, String(port), service];
}

/** The same as the file of a program, for who takes no arguments. */
export function connectScript(
  folder: string,
  port: number,
  service: string,
): string {
  const file = join(folder, `connect-${service}`);
  const words = connectCommand(port, service).map(quoted).join(" ");
  writeFileSync(file, `#!/bin/sh\nexec ${words}\n`);
  chmodSync(file, 0o700);
  return file;
}

/** As a word of a shell's. */
export function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
