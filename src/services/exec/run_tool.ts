import type { Exit, Transport } from "../../transport/transport.ts";
import { DEFAULT_PATH, findProgram } from "./find_program.ts";

/** The output of a tool of the system, and how it ended. */
export interface ToolRun {
  readonly output: string;
  /** The first line of its standard error. */
  readonly complaint: string;
  readonly exit: Exit;
}

/**
 * Runs a tool of the system to its end.
 *
 * @throws {TcpmuxError} where it cannot be started
 */
export async function runTool(
  [name, ...args]: readonly [string, ...string[]],
  transport: Transport,
): Promise<ToolRun> {
  const child = await transport.spawn({
    program: findProgram(name, DEFAULT_PATH),
    args,
    env: {},
    stderr: "pipe",
  });
  const [output, errors, exit] = await Promise.all([
    textOf(() => child.stdio.read()),
    textOf(() => child.readStderr()),
    child.exited,
  ]);
  child.stdio.close();
  return { output, complaint: errors.split("\n")[0]!, exit };
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
