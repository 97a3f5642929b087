import {
  type ChildProcess,
  spawn,
  type StdioOptions,
} from "node:child_process";
import type { Readable } from "node:stream";
import { fromSystem } from "./errno.ts";
import type { Inbox } from "./inbox.ts";
import { inboxOf } from "./pipe_conn.ts";
import { withUmask } from "./umask.ts";
import type {
  Command,
  Exit,
  Process,
  Program,
  ProgramStdio,
  SocketCommand,
} from "./transport.ts";

/** `Transport.spawnOn` by `node:child_process`. */
export async function childSpawnOn(
  command: SocketCommand,
  rest: readonly ("ignore" | number)[],
): Promise<Process> {
  const { socket, stderr } = command;
  const stdio: StdioOptions = [
    socket,
    socket,
    stderr === "socket" ? socket : stderr === "pipe" ? "pipe" : "ignore",
    ...rest,
  ];
  return new ChildOf(await startChild(command, stdio));
}

/**
 * Starts a program whose standard input and output are pipes.
 *
 * @param rest what it gets besides standard input, output and error
 */
export function startOnPipes(
  command: Command,
  rest: readonly ("ignore" | number)[] = [],
  started?: (child: ChildProcess) => void,
): Promise<ChildProcess> {
  const stderr = command.stderr === "pipe" ? "pipe" : "ignore";
  return startChild(command, ["pipe", "pipe", stderr, ...rest], started);
}

/** @param started called before any byte can have come from it */
function startChild(
  command: Command | SocketCommand,
  stdio: StdioOptions,
  started?: (child: ChildProcess) => void,
): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) =>
      reject(fromSystem(error, `cannot start ${command.program}`, {
        program: command.program,
      }));
    let child: ChildProcess;
    try {
      const { program, args, env, cwd, umask } = command;
      const detached = true; // a session and so a process group of its own
      child = withUmask(
        umask,
        () => spawn(program, args, { env, cwd, detached, stdio }),
      );
    } catch (error) {
      return fail(error);
    }
    if (child.pid !== undefined) started?.(child);
    child.once("error", fail);
    child.once("spawn", () => {
      child.off("error", fail);
      child.on("error", () => {}); // a failed kill; the exit tells the rest
      resolve(child);
    });
  });
}

class ChildOf implements Process {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  #stderr: Inbox | undefined;
  #stderrPipe: Readable | null;

  constructor(child: ChildProcess) {
    this.pid = child.pid!;
    this.#stderrPipe = child.stderr;
    this.#stderr = child.stderr ? inboxOf(child.stderr) : undefined;
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
  }

  readStderr(): Promise<Uint8Array | null> {
    return this.#stderr?.read() ?? Promise.resolve(null);
  }

  closeStderr(): void {
    this.#stderrPipe?.destroy();
  }

  signalGroup(signal: "SIGTERM" | "SIGKILL" | 0): boolean {
    return signalGroup(this.pid, signal);
  }
}

export function withStdio(child: ChildProcess, stdio: ProgramStdio): Program {
  return Object.assign(new ChildOf(child), { stdio });
}

export function signalGroup(
  pid: number,
  signal: "SIGTERM" | "SIGKILL" | 0,
): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "ESRCH") return false;
    throw fromSystem(error, `cannot signal process group ${pid}`);
  }
}
