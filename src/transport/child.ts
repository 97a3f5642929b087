import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { fromSystem } from "./errno.ts";
import type { Inbox } from "./inbox.ts";
import { inboxOf, PipeConn } from "./pipe_conn.ts";
import type { StreamConn } from "./stream_conn.ts";
import type { Command, Exit, Process } from "./transport.ts";

/** `Transport.spawn` by `node:child_process`, for Node and Bun. */
export function childSpawn(command: Command): Promise<Process> {
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
        stdio: ["pipe", "pipe", command.stderr === "pipe" ? "pipe" : "ignore"],
      });
    } catch (error) {
      return fail(error);
    }
    child.once("error", fail);
    child.once("spawn", () => {
      child.off("error", fail);
      child.on("error", () => {}); // a failed kill; the exit tells the rest
      resolve(new ChildOf(child));
    });
  });
}

class ChildOf implements Process {
  readonly pid: number;
  readonly stdio: StreamConn;
  readonly exited: Promise<Exit>;
  #stderr: Inbox | undefined;
  #stderrPipe: Readable | null;

  constructor(child: ChildProcess) {
    this.pid = child.pid!;
    this.stdio = new PipeConn(child.stdout!, child.stdin!);
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

function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL" | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "ESRCH") return false;
    throw fromSystem(error, `cannot signal process group ${pid}`);
  }
}
