import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { ROOT } from "./server.ts";

const PROGRAM = join(ROOT, "tests/support/hostile.pl");

/** What the connections have read: the texts, and how many read each. */
export type Heard = ReadonlyMap<string, number>;

/** How many there are, and where they come from. */
export interface Crowd {
  /** @default 1 */
  readonly count?: number;
  /** @default all of them */
  readonly atATime?: number;
  /** Addresses of this machine. @default ["127.0.0.1"] */
  readonly from?: readonly string[];
}

/** Makes connections that do these steps. @returns what they have read */
export function assail(
  port: number,
  crowd: Crowd,
  ...steps: string[]
): Promise<Heard> {
  return whileTheyWait(port, crowd, steps, async () => {});
}

/**
 * The same with one step `wait`, during which `use` runs, given what they
 * have read by then.
 */
export async function whileTheyWait(
  port: number,
  { count = 1, atATime = count, from = ["127.0.0.1"] }: Crowd,
  steps: readonly string[],
  use: (heard: Heard) => Promise<void>,
): Promise<Heard> {
  const numbers = [port, count, atATime].map(String);
  const child = start("connect", ...numbers, from.join(","), ...steps);
  const exited = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? signal));
  });
  const reports = reportsOf(child);
  const next = async () => {
    const { value } = await reports.next();
    if (value !== undefined) return value;
    throw new Error(`hostile.pl ${steps.join(" ")}: exit ${await exited}`);
  };
  try {
    if (steps.includes("wait")) {
      await use(await next());
      child.stdin!.write("\n");
    }
    const heard = await next();
    await exited;
    return heard;
  } finally {
    child.stdin!.end(); // on which it goes on to its end, if it still waits
    await exited;
  }
}

/** What it tells: lines "COUNT HEX", then an empty one. */
async function* reportsOf(
  child: ChildProcess,
): AsyncGenerator<Heard, undefined> {
  let heard = new Map<string, number>();
  for await (const line of createInterface(child.stdout!)) {
    if (line === "") {
      yield heard;
      heard = new Map();
      continue;
    }
    const [count, hex = ""] = line.split(" ");
    heard.set(Buffer.from(hex, "hex").toString("latin1"), Number(count));
  }
}

/** Runs `use` with an upstream that does these steps on each connection. */
export async function withHostileUpstream<T>(
  steps: readonly string[],
  use: (port: number) => Promise<T>,
): Promise<T> {
  const child = start("listen", ...steps);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  try {
    const port = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      exited.then(() => reject(new Error("the hostile upstream has died")));
      child.stdout!.once("data", (line) => resolve(Number(String(line))));
    });
    return await use(port);
  } finally {
    child.stdin!.end();
    await exited;
  }
}

function start(...args: string[]): ChildProcess {
  return spawn("perl", [PROGRAM, ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
}
