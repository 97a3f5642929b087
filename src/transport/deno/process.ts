/** Programs on Deno: https://docs.deno.com/api/deno/~/Deno.Command */
import { type Endpoint, UNNAMED } from "../../endpoint.ts";
import type { TimerList } from "../../timers.ts";
import { closedHere, fromSystem } from "../errno.ts";
import type { Libc } from "../net/libc.ts";
import { netSpawnOn } from "../net/process.ts";
import { spawnOnPair } from "../net/process_socket.ts";
import { inheritable, StreamsProcess, withUmask } from "../spawning.ts";
import { PulledConn } from "../pulled_conn.ts";
import type {
  Command,
  Conn,
  PipedProcess,
  ProcessConn,
  Pump,
} from "../transport.ts";
import { denoPair } from "./libc.ts";

/** The members of Deno that programs need, and no more. */
declare const Deno: {
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
};
interface DenoChild {
  readonly pid: number;
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly status: Promise<{ code: number; signal: string | null }>;
}

/** `Transport.spawn` for Deno: on a pair of sockets, or else on pipes. */
export async function denoSpawn(
  command: Command,
  libc: Libc,
  timers: TimerList,
): Promise<PipedProcess> {
  const pair = denoPair(libc, timers);
  if (pair === undefined) return await spawnOnPipes(command);
  const { ours, theirs } = pair;
  const kept = { fd: theirs.fd, release() {} };
  try {
    const program = await spawnOnPair(
      command,
      { ours, theirs: kept },
      (command, fd) => netSpawnOn(command, fd, []),
    );
    program.exited.then(() => theirs.release());
    return program;
  } catch (error) {
    theirs.release();
    throw error;
  }
}

// deno-lint-ignore require-await -- Deno spawns at once; failing must reject
export async function spawnOnPipes(command: Command): Promise<PipedProcess> {
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
    const exited = child.status.then(({ code, signal }) =>
      signal === null ? { code, signal } : { code: null, signal }
    );
    const stderr = command.stderr === "pipe" ? child.stderr : undefined;
    return Object.assign(new StreamsProcess(child.pid, exited, stderr), {
      stdio: new DenoPipes(child.stdout, child.stdin),
    });
  } catch (error) {
    throw fromSystem(error, `cannot start ${command.program}`, {
      program: command.program,
    });
  }
}

/** Bytes of a buffer that the reader may keep. */
const KEPT_BUFFER = 16 * 1024;

/** Bytes of the first buffer of a pipe; an idle program holds no more. */
const FIRST_BUFFER = 1024;

/** Bytes that a pipe of Linux holds, the most that one read of it gives. */
const PIPE_SIZE = 64 * 1024;

/** The standard input and output of a program as one connection. */
class DenoPipes extends PulledConn implements ProcessConn {
  readonly local: Endpoint = UNNAMED;
  readonly remote: Endpoint = UNNAMED;
  inputEnded: (() => void) | undefined = undefined;
  readonly #output: ReadableStreamBYOBReader;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #failing = new Set<(error: Error) => void>();
  #hasEnded = false;

  constructor(
    output: ReadableStream<Uint8Array>,
    input: WritableStream<Uint8Array>,
  ) {
    super();
    this.#output = output.getReader({ mode: "byob" });
    this.#input = input.getWriter();
    this.#input.closed.catch(() => {}); // each write reports its own failure
  }

  protected pull(): Promise<Uint8Array | null> {
    return this.#fill(new Uint8Array(KEPT_BUFFER));
  }

  /** Reads into the buffer, whose memory moves to the bytes that come back. */
  async #fill(
    buffer: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      const { value, done } = await this.#output.read(buffer);
      return done ? null : value;
    } catch (error) {
      throw this.isDropped ? closedHere() : fromSystem(error, "cannot read");
    }
  }

  pipeTo(sink: Conn, pump: Pump): boolean {
    if (!this.beginPipe(pump)) return false;
    this.#pipe(sink, pump);
    return true;
  }

  /** One buffer is read into and written from, as large as the traffic asks. */
  async #pipe(sink: Conn, pump: Pump): Promise<void> {
    let buffer: Uint8Array<ArrayBuffer> = new Uint8Array(FIRST_BUFFER);
    for (;;) {
      const size = buffer.length;
      let bytes: Uint8Array<ArrayBuffer> | null;
      try {
        bytes = await this.#fill(buffer);
      } catch (error) {
        return this.endPipe(pump, error as Error);
      }
      if (bytes === null) return this.endPipe(pump, null);
      if (!this.isPiping(pump)) return this.answer(bytes);
      this.waiting = true;
      try {
        await sink.write(bytes);
      } catch (error) {
        return this.breakPipe(pump, error as Error);
      }
      this.waiting = false;
      if (!this.isPiping(pump)) return this.leavePipe();
      const count = bytes.length;
      pump.moved(this, count);
      buffer = count === size && size < PIPE_SIZE
        ? new Uint8Array(PIPE_SIZE)
        : count < size / 64
        ? new Uint8Array(FIRST_BUFFER)
        : new Uint8Array(bytes.buffer);
    }
  }

  endInput(): boolean {
    return this.endIfAwaited();
  }

  async write(bytes: Uint8Array): Promise<void> {
    // The stream would throw a `TypeError`, as for a mistake of its caller.
    if (this.isDropped || this.#hasEnded) throw closedHere();
    try {
      await this.#unlessAborted(this.#input.write(bytes));
    } catch (error) {
      throw fromSystem(error, "cannot write to the program");
    }
  }

  async closeWrite(): Promise<void> {
    this.#hasEnded = true;
    this.inputEnded?.();
    // Where the program has closed it already, the end is the same.
    await this.#unlessAborted(this.#input.close()).catch(() => {});
  }

  /** Rejects when `abort` is called: aborting a stream waits for its writes. */
  #unlessAborted(writing: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#failing.add(reject);
      writing.then(resolve, reject).finally(() => this.#failing.delete(reject));
    });
  }

  close(): void {
    if (this.isDropped) return;
    this.drop();
    this.#input.close().catch(() => {});
    this.#output.cancel().catch(() => {});
  }

  abort(): void {
    if (this.isDropped) return;
    this.drop();
    for (const reject of this.#failing) reject(closedHere());
    this.#input.abort().catch(() => {});
    this.#output.cancel().catch(() => {});
  }

  isAlive(): Promise<boolean> {
    return Promise.resolve(!this.isDropped);
  }
}

/** `Transport.sealInherited` for Deno: it makes them close-on-exec by FFI. */
export function denoSeal(libc: Libc): readonly number[] {
  const before = inheritable();
  if (before.length === 0) return before;
  for (const fd of before) libc.functions?.close_range(fd, fd, CLOEXEC);
  return inheritable();
}

const CLOEXEC = 4; // CLOSE_RANGE_CLOEXEC
