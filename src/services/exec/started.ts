import { readFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { TcpmuxError } from "../../errors.ts";
import type { Ending } from "../../transport/cancel.ts";
import type { Command, Exit, Program } from "../../transport/transport.ts";

/** Milliseconds between looks: a tool takes about one. */
const LOOK_AGAIN = 1;

/** How env, nice, prlimit and setpriv end that cannot start what follows. */
const FAILURES = [1, 125, 126, 127];

/** Milliseconds for what it said, which it did before it ended. */
const STDERR_WAIT = 200;

/**
 * Waits until a program that was started through tools runs itself: each of
 * them becomes the next, and what it is now stands in its command line. So
 * the client is told `+` only then, as with a program that has none of them.
 *
 * @param tools the words of the command before the program's own
 * @returns the program, of whose standard error nothing has been lost
 * @throws {TcpmuxError} where one of the tools failed
 */
export async function startedThrough(
  tools: readonly string[],
  { program: first, args }: Command,
  program: Program,
  ending: Ending,
): Promise<Program> {
  if (process.platform !== "linux") return program; // nobody tells
  const words = [first, ...args];
  const all = `${words.join("\0")}\0`;
  const own = `${words.slice(tools.length).join("\0")}\0`;
  let exit: Exit | undefined;
  program.exited.then((how) => exit = how);
  while (!ending.aborted) {
    const now = commandLine(program.pid);
    const isTool = now.length > own.length && all.endsWith(now);
    if (!isTool && now !== "") return program;
    if (exit !== undefined) return await endedEarly(tools, program, exit);
    await sleep(LOOK_AGAIN);
  }
  return program;
}

/** Empty once it has ended, and for an instant while it becomes another. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch (error) {
    const { code } = error as { code?: string };
    return code === "ENOENT" || code === "ESRCH" ? "" : "hidden from us";
  }
}

/** It may have been the program itself, which had little to do. */
async function endedEarly(
  tools: readonly string[],
  program: Program,
  { code }: Exit,
): Promise<Program> {
  if (code === null || !FAILURES.includes(code)) return program;
  const reading = program.readStderr();
  const waited = new AbortController();
  const first = await Promise.race([
    reading,
    sleep(STDERR_WAIT, null, { signal: waited.signal }).catch(() => null),
  ]);
  waited.abort();
  const decoder = new TextDecoder();
  let said = first === null ? "" : decoder.decode(first, { stream: true });
  const [, tool] = /^(\S+): /.exec(said) ?? [];
  if (tool === undefined || !isOneOf(tools, tool)) {
    return withStderr(program, reading);
  }
  while (!said.includes("\n")) {
    const more = await program.readStderr();
    if (more === null) break;
    said += decoder.decode(more, { stream: true });
  }
  program.stdio.abort();
  program.closeStderr();
  const [line] = said.split("\n");
  throw new TcpmuxError("failed", `cannot start a program: ${line}`);
}

/** Some tools call themselves by their path. */
function isOneOf(tools: readonly string[], name: string): boolean {
  return tools.some((word) => basename(word) === basename(name));
}

/** The same program, of whose standard error something is being read. */
function withStderr(
  program: Program,
  reading: Promise<Uint8Array | null>,
): Program {
  let first: Promise<Uint8Array | null> | undefined = reading;
  return {
    pid: program.pid,
    stdio: program.stdio,
    exited: program.exited,
    readStderr() {
      const next = first ?? program.readStderr();
      first = undefined;
      return next;
    },
    closeStderr: () => program.closeStderr(),
    signalGroup: (signal) => program.signalGroup(signal),
  };
}
