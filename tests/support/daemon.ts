import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { findProgram } from "./needs.ts";
import { until } from "./wait.ts";

/** Ports that no kernel gives to who asks for any port, or as a client. */
const [FIRST, LAST] = [10_000, 30_000];

/** A port of the loopback that nobody listens on just now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Whether somebody accepts connections there. */
export function answers(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Runs `use` with a folder that is gone again afterwards. */
export async function withFolder<T>(
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "tcpmux-test-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs `use` with a program that stays in the foreground and listens. */
export async function withDaemon(
  command: readonly string[],
  port: number,
  use: () => Promise<void>,
  { host, env }: { host?: string; env?: Record<string, string> } = {},
): Promise<void> {
  const program = findProgram(command[0]!) ?? command[0]!;
  const child: ChildProcess = spawn(program, command.slice(1), {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stdout!.on("data", (bytes) => said += String(bytes));
  child.stderr!.on("data", (bytes) => said += String(bytes));
  let gone: string | undefined;
  const exited = new Promise<void>((resolve) => {
    child.once("error", ({ message }) => {
      gone = message; // it did not start
      resolve();
    });
    child.once("exit", (code, signal) => {
      gone = `exit ${code ?? signal}`;
      resolve();
    });
  });
  try {
    await until(`${command[0]} answers on ${port}`, () => {
      if (gone === undefined) return answers(port, host);
      throw new Error(`${command[0]}: ${gone}: ${said}`);
    });
    await use();
  } finally {
    await stopChild(child, exited);
  }
}

/** Ends a child of ours, and kills it when that has no effect. */
async function stopChild(
  child: ChildProcess,
  exited: Promise<void>,
): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null) return;
  child.kill("SIGTERM");
  // Not child.kill(): on Deno it kills but once.
  const timer = setTimeout(() => process.kill(pid, "SIGKILL"), 15_000);
  await exited;
  clearTimeout(timer);
}
