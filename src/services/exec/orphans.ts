import { readdir, readFile } from "node:fs/promises";
import type { Log } from "../../log.ts";
import type { Timer, TimerList } from "../../timers.ts";
import type { PipedProcess, ProcessConn } from "../../transport/transport.ts";
import type { EndedProgram, SessionContext } from "../service.ts";

/** Milliseconds between two checks whether output still comes. */
const LOOK_AGAIN = 250;

/** Bytes: more than a pipe and our buffers hold of a program's own output. */
const MAX_OWN_OUTPUT = 1024 * 1024;

/**
 * Ends the output of a program that has exited while its orphans (processes
 * that it started and that still run) hold the output open. Orphans have the
 * grace time to end it themselves. Then it is ended as soon as no byte has
 * moved between two checks. What the program itself wrote is delivered, however
 * slow the client is.
 */
export class OrphanWatch {
  readonly #output: ProcessConn;
  readonly #context: SessionContext;
  /** Once the client got more bytes than this, the latest are the orphans'. */
  #ownOutput = Infinity;
  #bytesBefore = -1;
  #timer: Timer | undefined;
  #stopped = false;

  /**
   * @param output the program's output, as it is sent to the client
   * @param grace milliseconds
   */
  constructor(
    program: PipedProcess,
    output: ProcessConn,
    context: SessionContext,
    grace: number,
  ) {
    this.#output = output;
    this.#context = context;
    program.exited.then(() => {
      if (this.#stopped) return;
      this.#ownOutput = context.bytesOut + MAX_OWN_OUTPUT;
      this.#lookAfter(Math.max(1, grace)); // 0 would set no limit
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  expired(): void {
    if (this.#stopped) return;
    const { bytesOut } = this.#context;
    const isDone = bytesOut === this.#bytesBefore || bytesOut > this.#ownOutput;
    this.#bytesBefore = bytesOut;
    if (isDone && this.#output.endInput()) return;
    this.#lookAfter(LOOK_AGAIN);
  }

  #lookAfter(milliseconds: number): void {
    const { timers } = this.#context.server.transport;
    this.#timer = timers.after(milliseconds, this);
  }
}

/** The least milliseconds between two looks at all processes. */
const LOOK_PAUSE = 1_000;

/** Looking takes at most this part of the time. */
const LOOK_PART = 0.02;

/** Programs that wait for a look; of more nothing is said. */
const MOST_ENDED = 1024;

/**
 * Looks for processes that programs have left behind outside their process
 * groups, such as a daemon. It may serve others by now, so it is logged and not
 * ended. It is recognised by its environment (see proc(5)), unless it has
 * replaced that.
 */
export class LeaverWatch {
  readonly #log: Log;
  readonly #timers: TimerList;
  /** By their numbers, as `TCPMUX_SESSION_ID` has them. */
  #ended = new Map<string, EndedProgram>();
  #timer: Timer | undefined;
  #pause = LOOK_PAUSE;
  #isStopped = false;

  constructor(log: Log, timers: TimerList) {
    this.#log = log;
    this.#timers = timers;
  }

  /** The process group of a program is gone. */
  ended(program: EndedProgram): void {
    if (this.#isStopped || this.#ended.size >= MOST_ENDED) return;
    this.#ended.set(String(program.conn), program);
    this.#timer ??= this.#timers.after(this.#pause, this);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async expired(): Promise<void> {
    const begin = performance.now();
    const ended = this.#ended;
    this.#ended = new Map();
    // Not everywhere are there such files, nor may all be read.
    const names = await readdir("/proc").catch(() => []);
    const bootTime = await bootTimeOf();
    for (const pid of names.filter((name) => /^\d+$/.test(name))) {
      const program = await programOfProcess(pid, ended, bootTime);
      if (program !== undefined) await this.#say(pid, program);
    }
    this.#pause = Math.max(
      LOOK_PAUSE,
      (performance.now() - begin) / LOOK_PART,
    );
    this.#timer = this.#ended.size > 0 && !this.#isStopped
      ? this.#timers.after(this.#pause, this)
      : undefined;
  }

  async #say(pid: string, { conn, service }: EndedProgram): Promise<void> {
    const name = await readFile(`/proc/${pid}/comm`, "latin1").catch(() => "");
    this.#log("warn", "a program has left a running process behind", {
      conn,
      service,
      pid: Number(pid),
      name: name.trim(),
    });
  }
}

/** The program that a process was started for, if it is one of these. */
async function programOfProcess(
  pid: string,
  ended: ReadonlyMap<string, EndedProgram>,
  bootTime: number,
): Promise<EndedProgram | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/environ`, "latin1");
    const env = new Map(
      text.split("\0").map((line) => {
        const cut = line.indexOf("=");
        return [line.slice(0, cut), line.slice(cut + 1)];
      }),
    );
    const program = ended.get(env.get("TCPMUX_SESSION_ID") ?? "");
    if (program?.listener !== env.get("TCPMUX_LISTENER")) return undefined;
    // An earlier server may have had a session of the same number.
    const stat = await readFile(`/proc/${pid}/stat`, "latin1");
    const [, ticks] = /\) (?:\S+ ){19}(\d+) /.exec(stat) ?? [];
    const began = bootTime + Number(ticks) * (1000 / TICKS);
    return began > program!.began - CLOCK_SLACK ? program : undefined;
  } catch {
    return undefined; // it has ended, or is another user's
  }
}

/** Clock ticks of proc(5) in a second, the same on all of Linux's machines. */
const TICKS = 100;

/** Milliseconds by which times that the kernel has rounded may differ. */
const CLOCK_SLACK = 2_000;

/** Milliseconds since 1970. */
async function bootTimeOf(): Promise<number> {
  const stat = await readFile("/proc/stat", "latin1").catch(() => "");
  return Number(/^btime (\d+)$/m.exec(stat)?.[1] ?? 0) * 1000;
}
