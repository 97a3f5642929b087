/** Deno's processes: https://docs.deno.com/api/deno/~/Deno.Command */
import type { Endpoint } from "../endpoint.ts";
import { closedHere, fromSystem } from "./errno.ts";
import { UNNAMED } from "./net_conn.ts";
import { StreamConn } from "./stream_conn.ts";
import type { Command, Exit, Program } from "./transport.ts";

/** The members of Deno that processes need, and no more. */
interface DenoProcesses {
  Command: new (program: string, options: {
    args: readonly string[];
    env: Readonly<Record<string, string>>;
    clearEnv: true;
    cwd: string | undefined;
    detached: true;
    stdin: "piped";
    stdout: "piped";
    stderr: "piped" | "null";
  }) => { spawn(): DenoChild };
  kill(pid: number, signal: "SIGTERM" | "SIGKILL" | 0): void;
}
interface DenoChild {
  readonly pid: number;
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly status: Promise<{ code: number; signal: string | null }>;
}
declare const Deno: DenoProcesses;

// deno-lint-ignore require-await -- Deno spawns at once; failing must reject
export async function denoSpawn(command: Command): Promise<Program> {
  try {
    const child = new Deno.Command(command.program, {
      args: command.args,
      env: command.env,
      clearEnv: true,
      cwd: command.cwd,
      detached: true, // a session and so a process group of its own
      stdin: "piped",
      stdout: "piped",
      stderr: command.stderr === "pipe" ? "piped" : "null",
    }).spawn();
    return new NativeProcess(child, command.stderr === "pipe");
  } catch (error) {
    throw fromSystem(error, `cannot start ${command.program}`, {
      program: command.program,
    });
  }
}

class NativeProcess implements Program {
  readonly pid: number;
  readonly stdio: StreamConn;
  readonly exited: Promise<Exit>;
  #stderr: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(child: DenoChild, withStderr: boolean) {
    this.pid = child.pid;
    this.stdio = new PipeConn(child.stdout, child.stdin);
    this.#stderr = withStderr ? child.stderr.getReader() : undefined;
    this.exited = child.status.then(({ code, signal }) =>
      signal === null ? { code, signal } : { code: null, signal }
    );
  }

  async readStderr(): Promise<Uint8Array | null> {
    return (await this.#stderr?.read())?.value ?? null;
  }

  closeStderr(): void {
    this.#stderr?.cancel().catch(() => {}); // it had ended
  }

  signalGroup(signal: "SIGTERM" | "SIGKILL" | 0): boolean {
    try {
      Deno.kill(-this.pid, signal);
      return true;
    } catch (error) {
      const ours = fromSystem(error, `cannot signal process group ${this.pid}`);
      if (ours.code === "not_found" || ours.errno === "ESRCH") return false;
      throw ours;
    }
  }
}

/** The standard input and output of a program as one connection. */
class PipeConn extends StreamConn {
  readonly local: Endpoint = UNNAMED;
  readonly remote: Endpoint = UNNAMED;
  #output: ReadableStreamDefaultReader<Uint8Array>;
  #input: WritableStreamDefaultWriter<Uint8Array>;
  #writing = new Set<(error: Error) => void>();
  #closed = false;

  constructor(
    output: ReadableStream<Uint8Array>,
    input: WritableStream<Uint8Array>,
  ) {
    super();
    this.#output = output.getReader();
    this.#input = input.getWriter();
    this.#input.closed.catch(() => {}); // each write reports its own failure
  }

  async read(): Promise<Uint8Array | null> {
    try {
      const { value } = await this.#output.read();
      if (this.#closed) throw closedHere();
      return value ?? null;
    } catch (error) {
      throw fromSystem(error, "cannot read");
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#unlessAborted(this.#input.write(bytes));
    } catch (error) {
      throw fromSystem(error, "cannot write to the program");
    }
  }

  async closeWrite(): Promise<void> {
    // Where it is gone already, that is the same end.
    await this.#unlessAborted(this.#input.close()).catch(() => {});
  }

  /** Aborting a writer waits for the write under way; ours does not. */
  #unlessAborted(writing: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writing.add(reject);
      writing.then(resolve, reject).finally(() => this.#writing.delete(reject));
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#input.close().catch(() => {});
    this.#output.cancel().catch(() => {});
  }

  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const reject of this.#writing) reject(closedHere());
    this.#input.abort().catch(() => {});
    this.#output.cancel().catch(() => {});
  }
}
