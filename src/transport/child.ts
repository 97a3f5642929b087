import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Endpoint } from "../endpoint.ts";
import { fromSystem } from "./errno.ts";
import { Inbox } from "./inbox.ts";
import { closedHere, UNNAMED } from "./net_conn.ts";
import { StreamConn } from "./stream_conn.ts";
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

function inboxOf(stream: Readable): Inbox {
  const inbox = new Inbox(
    {
      pause: () => stream.pause(),
      resume: () => stream.resume(),
    },
    64 * 1024,
    true,
  );
  stream.pause();
  stream.on("data", (bytes: Uint8Array) => inbox.push(bytes));
  stream.on("end", () => inbox.end());
  stream.on("error", (error) => inbox.fail(fromSystem(error, "cannot read")));
  stream.on("close", () => inbox.fail(closedHere()));
  return inbox;
}

/** The standard input and output of a program as one connection. */
class PipeConn extends StreamConn {
  readonly local: Endpoint = UNNAMED;
  readonly remote: Endpoint = UNNAMED;
  #output: Readable;
  #input: Writable;
  #inbox: Inbox;
  #writing = new Set<(error: Error) => void>();

  constructor(output: Readable, input: Writable) {
    super();
    this.#output = output;
    this.#input = input;
    this.#inbox = inboxOf(output);
    input.on("error", () => {}); // each write reports its own failure
  }

  read(): Promise<Uint8Array | null> {
    return this.#inbox.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writing.add(reject);
      this.#input.write(bytes, (error) => {
        this.#writing.delete(reject);
        if (error) reject(fromSystem(error, "cannot write to the program"));
        else resolve();
      });
    });
  }

  closeWrite(): Promise<void> {
    if (this.#input.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#input.end(() => resolve());
      this.#input.once("close", () => resolve());
    });
  }

  close(): void {
    this.#inbox.fail(closedHere(), true);
    this.#input.end();
    this.#output.destroy();
  }

  abort(): void {
    this.#inbox.fail(closedHere(), true);
    // Bun does not tell the writes under way that the stream is destroyed.
    for (const reject of this.#writing) reject(closedHere());
    this.#writing.clear();
    this.#input.destroy();
    this.#output.destroy();
  }
}
