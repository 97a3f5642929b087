/** What all runtimes need for starting a program. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers";
import { fromSystem } from "./errno.ts";
import { permitted } from "./permission.ts";
import type { Exit, Process } from "./transport.ts";

/**
 * Starts a program with a umask. The whole process has that umask meanwhile,
 * but nothing else of ours runs then. A shell between, which would set it for
 * the program alone, would leave its own variables in the environment.
 */
export function withUmask<T>(mask: number | undefined, start: () => T): T {
  if (mask === undefined) return start();
  const own = process.umask(mask);
  try {
    return start();
  } finally {
    process.umask(own);
  }
}

/** Close-on-exec among the flags of a descriptor, on Linux. */
const O_CLOEXEC = 0o2000000;

/**
 * The descriptors besides standard input, output and error that a program would
 * inherit if it were started now. They are those that this process was started
 * with: every runtime opens its own as close-on-exec. Empty where the system
 * has no such list.
 */
export function inheritable(): number[] {
  if (!permitted("read")) return [];
  try {
    return readdirSync("/proc/self/fdinfo").map(Number)
      .filter((fd) => fd > 2 && isInheritable(fd));
  } catch {
    return []; // another system
  }
}

function isInheritable(fd: number): boolean {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
    const flags = /^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? "0";
    return (parseInt(flags, 8) & O_CLOEXEC) === 0;
  } catch {
    return false; // the descriptor by which the list was read, closed since
  }
}

/**
 * Milliseconds between two looks at a group that has outlived its leader; each
 * pause is twice as long as the last, within these bounds.
 */
const LOOK_AGAIN = { least: 100, most: 10_000 };

/**
 * The process group of a program that was started as its leader. The system
 * gives its number to another process once nobody is in the group any more, but
 * not before. So the group is looked at when its leader has ended, and again as
 * long as others are in it, and once it was empty it is never signalled again.
 */
export class ProcessGroup {
  readonly #number: number;
  #hasLeader = true;
  #isGone = false;

  /** @param exited resolves when the leader has ended and was waited for */
  constructor(pid: number, exited: Promise<unknown>) {
    this.#number = pid;
    exited.then(() => {
      this.#hasLeader = false;
      this.#look(LOOK_AGAIN.least);
    });
  }

  #look(pause: number): void {
    if (!this.signal(0)) return;
    const next = Math.min(2 * pause, LOOK_AGAIN.most);
    setTimeout(() => this.#look(next), pause).unref();
  }

  /** For `Process.signalGroup`. */
  signal(signal: "SIGTERM" | "SIGKILL" | 0): boolean {
    if (this.#isGone) return false;
    // Without the leader, its number may belong to an unrelated process.
    const isOurs = this.#hasLeader || !reaches(this.#number, 0);
    if (isOurs && reaches(-this.#number, signal)) return true;
    this.#isGone = !this.#hasLeader;
    return false;
  }
}

/** A process of a runtime whose pipes are Web Streams: Bun and Deno. */
export class StreamsProcess implements Process {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #group: ProcessGroup;
  readonly #stderr: ReadableStreamDefaultReader<Uint8Array> | undefined;

  /** @param stderr undefined where it is not piped */
  constructor(
    pid: number,
    exited: Promise<Exit>,
    stderr: ReadableStream<Uint8Array> | undefined,
  ) {
    this.pid = pid;
    this.exited = exited;
    this.#group = new ProcessGroup(pid, exited);
    this.#stderr = stderr?.getReader();
  }

  async readStderr(): Promise<Uint8Array | null> {
    return (await this.#stderr?.read())?.value ?? null;
  }

  closeStderr(): void {
    this.#stderr?.cancel().catch(() => {}); // it had ended
  }

  signalGroup(signal: "SIGTERM" | "SIGKILL" | 0): boolean {
    return this.#group.signal(signal);
  }
}

/** @returns whether there is such a process, or with a negative number, group */
function reaches(number: number, signal: "SIGTERM" | "SIGKILL" | 0): boolean {
  try {
    process.kill(number, signal);
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ESRCH") return false;
    if (code === "EPERM" && signal === 0) return true;
    throw fromSystem(error, `cannot signal process ${number}`);
  }
}

/**
 * If this process was started with SIGCHLD ignored, the system does not keep the
 * exit status of programs, which breaks Bun and Deno. A handler undoes that.
 */
export function heedChildren(): void {
  if (process.platform === "win32") return; // which has no such signal
  if (process.listenerCount("SIGCHLD") === 0) process.on("SIGCHLD", () => {});
}
