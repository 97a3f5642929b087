/** Programs on Bun: https://bun.com/docs/api/spawn */
import type { TimerList } from "../../timers.ts";
import { fromSystem } from "../errno.ts";
import { duplicate, type Libc } from "../net/libc.ts";
import { netSpawn } from "../net/process.ts";
import { spawnOnPair } from "../net/process_socket.ts";
import type {
  Command,
  Exit,
  PipedProcess,
  Process,
  SocketCommand,
  SocketProcess,
} from "../transport.ts";
import { StreamsProcess, withUmask } from "../spawning.ts";
import { bunConnOf, bunPair } from "./libc.ts";

/** The members of Bun that starting a program needs, and no more. */
declare const Bun: {
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
};
interface BunChild {
  readonly pid: number;
  readonly signalCode: string | null;
  readonly stderr: ReadableStream<Uint8Array> | number | undefined;
}
type Stdio = [number, number, number | "pipe" | "ignore"];

/** `Transport.spawn` for Bun. */
export async function bunSpawn(
  command: Command,
  libc: Libc,
  timers: TimerList,
): Promise<PipedProcess> {
  const pair = await bunPair(libc, timers);
  return pair === undefined
    ? await netSpawn(command)
    : await spawnOnPair(command, pair, startOn);
}

/**
 * `Transport.spawnOn` for Bun. It keeps a copy of the descriptor that nothing
 * watches: Bun would take from its own what the program is to read.
 */
export async function bunSpawnOn(
  command: SocketCommand,
  libc: Libc,
  timers: TimerList,
): Promise<SocketProcess> {
  const { socket } = command;
  const { functions } = libc;
  const kept = functions && duplicate(functions, socket.fd);
  try {
    const program = await startOn(command, socket.fd);
    socket.release();
    const reclaim = () =>
      kept === undefined ? NOTHING_KEPT : bunConnOf(kept, timers);
    return Object.assign(program, { reclaim });
  } catch (error) {
    if (kept !== undefined) functions!.close(kept);
    throw error;
  }
}

const NOTHING_KEPT = Promise.resolve(undefined);

/**
 * By Bun's own function, which starts 1.5 times as many programs in a second as
 * its `node:child_process` does.
 */
// deno-lint-ignore require-await -- Bun starts it at once; failing must reject
async function startOn(
  command: Omit<SocketCommand, "socket">,
  socket: number,
): Promise<Process> {
  const { program, args, env, cwd, umask, stderr } = command;
  const stdio: Stdio = [
    socket,
    socket,
    stderr === "socket" ? socket : stderr === "pipe" ? "pipe" : "ignore",
  ];
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
    const { stderr: pipe } = child;
    return new StreamsProcess(
      child.pid,
      exit,
      pipe instanceof ReadableStream ? pipe : undefined,
    );
  } catch (error) {
    throw fromSystem(error, `cannot start ${program}`, { program });
  }
}
