import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TcpmuxError } from "../../errors.ts";
import type {
  Command,
  Exit,
  PipedProcess,
  Transport,
} from "../../transport/transport.ts";
import type { SessionContext } from "../service.ts";
import { KILL_TIME, resolvesInTime } from "./supervised.ts";

/** A program's command. Its first words may be tools that become the program. */
export interface ExecCommand extends Command {
  /** The words before the program's own; empty where there are no tools. */
  readonly tools: readonly string[];
}

/**
 * Milliseconds between two looks at the command line, since no event reports a
 * change; each pause is twice as long as the last. A tool takes about 1.
 */
const LOOK_AGAIN = { least: 1, most: 64 };

/** Milliseconds for all tools, which take a few. */
const TOOLS_TIME = 20_000;

/** The exit statuses of env, nice, prlimit and setpriv that failed. */
const FAILURES = [1, 125, 126, 127];

/** Milliseconds and characters for the error message of a tool that has ended. */
const STDERR_WAIT = 200;
const MOST_MESSAGE = 2_000;

/**
 * Starts a program on pipes, and waits until the program itself runs and not a
 * tool before it: each tool executes the next one, and the command line of the
 * process shows which one runs. So the client gets its `+` only then.
 *
 * @param time milliseconds within which the tools must have become the program
 * @throws {TcpmuxError} where the program cannot be started, or a tool failed or
 * hangs
 */
export async function startProgram(
  command: ExecCommand,
  context: SessionContext,
  time = TOOLS_TIME,
): Promise<PipedProcess> {
  const program = await context.server.transport.spawn(command);
  const { tools } = command;
  // Other systems have no /proc with command lines.
  if (tools.length === 0 || process.platform !== "linux") return program;
  const words = [command.program, ...command.args];
  const all = `${words.join("\0")}\0`;
  const own = `${words.slice(tools.length).join("\0")}\0`;
  let exit: Exit | undefined;
  program.exited.then((how) => exit = how);
  const end = performance.now() + time;
  for (
    let pause = LOOK_AGAIN.least;
    !context.isStopped;
    pause = Math.min(2 * pause, LOOK_AGAIN.most)
  ) {
    const now = commandLine(program.pid);
    const isTool = now.length > own.length && all.endsWith(now);
    if (!isTool && now !== "") return program;
    if (exit !== undefined) return await endedEarly(tools, program, exit);
    if (performance.now() > end) {
      throw await endStuck(program, now, time, context.server.transport);
    }
    await sleep(pause);
  }
  return program;
}

/** Kills a program whose tools hang, and says which one does. */
async function endStuck(
  program: PipedProcess,
  words: string,
  time: number,
  { timers }: Transport,
): Promise<TcpmuxError> {
  program.signalGroup("SIGKILL");
  program.stdio.abort();
  program.closeStderr();
  await resolvesInTime(KILL_TIME, program.exited, timers);
  const [tool] = words.split("\0");
  return new TcpmuxError(
    "timed_out",
    `cannot start a program: ${tool} did not start it within ` +
      `${time / 1000} seconds`,
  );
}

/** Empty once the process has ended, and while it executes another program. */
function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch (error) {
    const { code } = error as { code?: string };
    return code === "ENOENT" || code === "ESRCH" ? "" : "hidden from us";
  }
}

/**
 * Finds out whether a tool failed, or the program itself had little to do.
 *
 * @returns the program, with all of its standard error still to be read
 */
async function endedEarly(
  tools: readonly string[],
  program: PipedProcess,
  { code }: Exit,
): Promise<PipedProcess> {
  if (code === null || !FAILURES.includes(code)) return program;
  const reading = program.readStderr();
  // Processes that the program has started may have its standard error, too.
  const waited = new AbortController();
  const over = sleep(STDERR_WAIT, null, { signal: waited.signal })
    .catch(() => null);
  const decoder = new TextDecoder();
  let text = "";
  try {
    const first = await Promise.race([reading, over]);
    if (first !== null) text = decoder.decode(first, { stream: true });
    const [, name] = /^(\S+): /.exec(text) ?? [];
    if (name === undefined || !isOneOf(tools, name)) {
      return withStderr(program, reading);
    }
    while (!text.includes("\n") && text.length < MOST_MESSAGE) {
      const more = await Promise.race([program.readStderr(), over]);
      if (more === null) break;
      text += decoder.decode(more, { stream: true });
    }
  } finally {
    waited.abort();
  }
  program.signalGroup("SIGKILL");
  program.stdio.abort();
  program.closeStderr();
  const [line] = text.split("\n");
  throw new TcpmuxError("failed", `cannot start a program: ${line}`);
}

/** Some tools call themselves by their path. */
function isOneOf(tools: readonly string[], name: string): boolean {
  return tools.some((word) => basename(word) === basename(name));
}

/** The same program; the first read of its standard error is under way. */
function withStderr(
  program: PipedProcess,
  reading: Promise<Uint8Array | null>,
): PipedProcess {
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
