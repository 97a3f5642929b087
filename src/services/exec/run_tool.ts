import { TcpmuxError } from "../../errors.ts";
import type { Exit, Transport } from "../../transport/transport.ts";
import { DEFAULT_PATH, findProgram } from "./find_program.ts";

/** The output of a tool of the system, and how it ended. */
export interface ToolRun {
  readonly output: string;
  /** The first line of its standard error. */
  readonly complaint: string;
  /** All of its standard error. */
  readonly errors: string;
  readonly exit: Exit;
}

/** Milliseconds for a tool, which may have to ask a server on the network. */
const TOOL_TIME = 20_000;

export interface ToolOptions {
  /**
   * Milliseconds after which it is killed.
   * @default 20000
   */
  readonly time?: number;
  /** The whole environment; empty by default. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default our own */
  readonly cwd?: string;
}

/**
 * Runs a tool of the system to its end.
 *
 * @throws {TcpmuxError} where it cannot be started, or does not end
 */
export async function runTool(
  [name, ...args]: readonly [string, ...string[]],
  transport: Transport,
  { time = TOOL_TIME, env = {}, cwd }: ToolOptions = {},
): Promise<ToolRun> {
  const child = await transport.spawn({
    program: findProgram(name, DEFAULT_PATH),
    args,
    env,
    stderr: "pipe",
    ...(cwd === undefined ? {} : { cwd }),
  });
  let isLate = false;
  const timer = transport.timers.after(time, () => {
    isLate = true;
    child.signalGroup("SIGKILL");
    child.stdio.abort(); // others may hold its output
    child.closeStderr();
  });
  try {
    const [output, errors, exit] = await Promise.all([
      textOf(() => child.stdio.read()),
      textOf(() => child.readStderr()),
      child.exited,
    ]);
    if (!isLate) {
      return { output, complaint: errors.split("\n")[0]!, errors, exit };
    }
  } catch (error) {
    if (!isLate) throw error;
  } finally {
    timer?.cancel();
    child.stdio.close();
  }
  throw new TcpmuxError(
    "timed_out",
    `${[name, ...args].join(" ")} did not end within ${time / 1000} seconds ` +
      "(find out why it hangs on this machine)",
  );
}

async function textOf(
  read: () => Promise<Uint8Array | null>,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for (let bytes; (bytes = await read()) !== null;) {
    text += decoder.decode(bytes, { stream: true });
  }
  return text;
}
