/** Deno's processes: https://docs.deno.com/api/deno/~/Deno.Command */
import { DenoPipes } from "./deno_pipes.ts";
import { fromSystem } from "./errno.ts";
import { withUmask } from "./umask.ts";
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
    const prepared = new Deno.Command(command.program, {
      args: command.args,
      env: command.env,
      clearEnv: true,
      cwd: command.cwd,
      detached: true, // a session and so a process group of its own
      stdin: "piped",
      stdout: "piped",
      stderr: command.stderr === "pipe" ? "piped" : "null",
    });
    const child = withUmask(command.umask, () => prepared.spawn());
    return new NativeProcess(child, command.stderr === "pipe");
  } catch (error) {
    throw fromSystem(error, `cannot start ${command.program}`, {
      program: command.program,
    });
  }
}

class NativeProcess implements Program {
  readonly pid: number;
  readonly stdio: DenoPipes;
  readonly exited: Promise<Exit>;
  #stderr: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(child: DenoChild, withStderr: boolean) {
    this.pid = child.pid;
    this.stdio = new DenoPipes(child.stdout, child.stdin);
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
