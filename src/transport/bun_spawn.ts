import { closeSync } from "node:fs";
import {
  BunConn,
  type BunHandlers,
  type BunSocket,
  HANDLERS,
} from "./bun_conn.ts";
import { childSpawn, signalGroup } from "./child.ts";
import { fromSystem } from "./errno.ts";
import { JoinedConn } from "./joined_conn.ts";
import { UNNAMED } from "./net_conn.ts";
import { SocketPairs } from "./socket_pair.ts";
import { withUmask } from "./umask.ts";
import type {
  Command,
  Exit,
  Process,
  Program,
  SocketCommand,
} from "./transport.ts";

/** The members of Bun that starting a program needs, and no more. */
interface BunSpawn {
  connect(options: {
    fd: number;
    allowHalfOpen: true;
    data: undefined;
    socket: BunHandlers;
  }): Promise<BunSocket>;
  spawn(options: {
    cmd: string[];
    env: Readonly<Record<string, string>>;
    cwd?: string;
    stdio: Stdio;
    detached: true;
    onExit(
      child: BunChild,
      code: number | null,
      signal: number | string | null,
    ): void;
  }): BunChild;
}
interface BunChild {
  readonly pid: number;
  readonly signalCode: string | null;
  readonly stderr: ReadableStream<Uint8Array> | number | undefined;
}
type Stdio = [number, number, number | "pipe" | "ignore"];
declare const Bun: BunSpawn;

const pairs = new SocketPairs();

/**
 * `Transport.spawn` with Unix sockets as pipes: as connections of Bun's own
 * they are as fast as any, which the streams that Bun makes are not.
 */
export async function bunSpawn(command: Command): Promise<Program> {
  const made = pairs.makeTwo();
  if (made === undefined) return await childSpawn(command);
  const [[ourInput, input], [ourOutput, output]] = made;
  const stdio = new JoinedConn(
    await connOf(ourOutput),
    await connOf(ourInput),
  );
  try {
    const stderr = command.stderr === "pipe" ? "pipe" : "ignore";
    const child = start(command, [input, output, stderr]);
    return Object.assign(child, { stdio });
  } catch (error) {
    stdio.abort();
    throw error;
  } finally {
    closeSync(input);
    closeSync(output);
  }
}

async function connOf(fd: number): Promise<BunConn> {
  const socket = await Bun.connect({
    fd,
    allowHalfOpen: true,
    data: undefined,
    socket: ADOPTED,
  });
  return socket.data as BunConn;
}

/** A descriptor of ours that has become a socket. */
const ADOPTED: BunHandlers = {
  ...HANDLERS,
  open: (socket) => socket.data = new BunConn(socket, UNNAMED, UNNAMED),
};

/**
 * `Transport.spawnOn` by Bun's own way, which starts half as many programs
 * again in a second as its `node:child_process` does.
 */
// deno-lint-ignore require-await -- Bun starts it at once; failing must reject
export async function bunSpawnOn(command: SocketCommand): Promise<Process> {
  const { socket, stderr } = command;
  return start(command, [
    socket,
    socket,
    stderr === "socket" ? socket : stderr === "pipe" ? "pipe" : "ignore",
  ]);
}

function start(command: Command | SocketCommand, stdio: Stdio): BunProcess {
  const { program, args, env, cwd, umask } = command;
  let exited: (exit: Exit) => void;
  const exit = new Promise<Exit>((resolve) => exited = resolve);
  try {
    const child = withUmask(umask, () =>
      Bun.spawn({
        cmd: [program, ...args],
        env,
        ...(cwd === undefined ? {} : { cwd }),
        stdio,
        detached: true, // a session and so a process group of its own
        onExit: (child, code) =>
          exited({
            code: child.signalCode === null ? code : null,
            signal: child.signalCode,
          }),
      }));
    return new BunProcess(child, exit);
  } catch (error) {
    throw fromSystem(error, `cannot start ${program}`, { program });
  }
}

class BunProcess implements Process {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  #stderr: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(child: BunChild, exited: Promise<Exit>) {
    this.pid = child.pid;
    this.exited = exited;
    if (child.stderr instanceof ReadableStream) {
      this.#stderr = child.stderr.getReader();
    }
  }

  async readStderr(): Promise<Uint8Array | null> {
    return (await this.#stderr?.read())?.value ?? null;
  }

  closeStderr(): void {
    this.#stderr?.cancel().catch(() => {}); // it had ended
  }

  signalGroup(signal: "SIGTERM" | "SIGKILL" | 0): boolean {
    return signalGroup(this.pid, signal);
  }
}
