import {
  type ChildProcess,
  spawn,
  type StdioOptions,
} from "node:child_process";
import type { Readable } from "node:stream";
import { fromSystem } from "./errno.ts";
import type { Inbox } from "./inbox.ts";
import { inboxOf, PipeConn } from "./pipe_conn.ts";
import type { StreamConn } from "./stream_conn.ts";
import type {
  Command,
  Exit,
  Process,
  Program,
  SocketCommand,
} from "./transport.ts";

/** `Transport.spawn` by `node:child_process`, for Node and Bun. */
export async function childSpawn(command: Command): Promise<Program> {
  const stderr = command.stderr === "pipe" ? "pipe" : "ignore";
  return new PipedChild(await start(command, ["pipe", "pipe", stderr]));
}

/** `Transport.spawnOn` by `node:child_process`, for Node and Bun. */
export async function childSpawnOn(command: SocketCommand): Promise<Process> {
  const { socket, stderr } = command;
  const stdio: StdioOptions = [
    socket,
    socket,
    stderr === "socket" ? socket : stderr === "pipe" ? "pipe" : "ignore",
  ];
  return new ChildOf(await start(command, stdio));
}

function start(
  command: Command | SocketCommand,
  stdio: StdioOptions,
): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) =>
      reject(fromSystem(error, `cannot start ${command.program}`, {
        program: command.program,
      }));
    let child: ChildProcess;
    try {
      child = spawn(command.program, command.args, {
        env: command.env,
        cwd: command.cwd,
        detached: true, // a session and so a process group of its own
        stdio,
      });
    } catch (error) {
      return fail(error);
    }
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

class PipedChild extends ChildOf implements Program {
  readonly stdio: StreamConn;

  constructor(child: ChildProcess) {
    super(child);
    this.stdio = new PipeConn(child.stdout!, child.stdin!);
  }
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
