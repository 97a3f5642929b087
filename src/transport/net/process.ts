/** Programs by `node:child_process`: https://nodejs.org/api/child_process.html */
import {
  type ChildProcess,
  spawn,
  type StdioOptions,
} from "node:child_process";
import { fromSystem } from "../errno.ts";
import type {
  Command,
  Exit,
  PipedProcess,
  Process,
  ProcessConn,
  SocketCommand,
} from "../transport.ts";
import { ProcessGroup, withUmask } from "../spawning.ts";
import { NodeStreamsConn } from "./node_streams_conn.ts";

/** The descriptors of a program from 3 on. */
export type Rest = readonly ("ignore" | number)[];

/**
 * `Transport.spawn` where a program cannot be given a socket: its standard
 * input and output are two sockets then, each for one direction.
 */
export async function netSpawn(
  command: Command,
  rest: Rest = [],
): Promise<PipedProcess> {
  const stderr = command.stderr === "pipe" ? "pipe" : "ignore";
  let stdio: ProcessConn | undefined;
  const child = await start(
    command,
    ["pipe", "pipe", stderr, ...rest],
    // At once, before a byte can arrive.
    ({ stdout, stdin }) => stdio = new NodeStreamsConn(stdout!, stdin),
  );
  return Object.assign(new NetProcess(child), { stdio: stdio! });
}

/** Starts a program on a descriptor, for `Transport.spawnOn`. */
export async function netSpawnOn(
  command: Omit<SocketCommand, "socket">,
  socket: number,
  rest: Rest,
): Promise<Process> {
  const { stderr } = command;
  return new NetProcess(
    await start(command, [
      socket,
      socket,
      stderr === "socket" ? socket : stderr === "pipe" ? "pipe" : "ignore",
      ...rest,
    ]),
  );
}

function start(
  command: Omit<Command, "stderr">,
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
      child.on("error", () => {}); // a failed kill; the exit is still reported
      resolve(child);
    });
  });
}

class NetProcess implements Process {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #stderr: NodeStreamsConn | undefined;
  readonly #group: ProcessGroup;

  constructor(child: ChildProcess) {
    this.pid = child.pid!;
    if (child.stderr !== null) this.#stderr = new NodeStreamsConn(child.stderr);
    this.exited = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    this.#group = new ProcessGroup(this.pid, this.exited);
  }

  readStderr(): Promise<Uint8Array | null> {
    return this.#stderr?.read() ?? Promise.resolve(null);
  }

  closeStderr(): void {
    this.#stderr?.abort();
  }

  signalGroup(signal: "SIGTERM" | "SIGKILL" | 0): boolean {
    return this.#group.signal(signal);
  }
}
