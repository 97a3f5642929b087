import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, TcpmuxError } from "../../errors.ts";
import type { LogFields, LogLevel } from "../../log.ts";
import type { ExecService } from "../../table/service.ts";
import type { Timer, TimerList } from "../../timers.ts";
import type { Exit, Process } from "../../transport/transport.ts";
import type { SessionContext } from "../service.ts";
import { logLines } from "./stderr.ts";

/** Milliseconds to wait for the last lines of a program that has ended. */
const STDERR_GRACE = 500;

/** Milliseconds within which SIGKILL must have ended a program. */
export const KILL_TIME = 5_000;

/** A program of a session, from its start to the end of its process group. */
export class SupervisedProcess {
  readonly #process: Process;
  readonly #service: ExecService;
  readonly #context: SessionContext;
  /** How it ended by itself; undefined if `abort` came first. */
  readonly #exit: Promise<Exit | undefined>;
  readonly #began = Date.now();
  #stopWaiting = () => {};
  /** Resolves when its standard error has been logged. */
  #logged: Promise<void> = Promise.resolve();
  #ending: Timer | undefined;
  #ended: Promise<void> | undefined;

  constructor(
    process: Process,
    service: ExecService,
    context: SessionContext,
  ) {
    this.#process = process;
    this.#service = service;
    this.#context = context;
    const aborted = new Promise<undefined>((resolve) =>
      this.#stopWaiting = () => resolve(undefined)
    );
    this.#exit = Promise.race([process.exited, aborted]);
    const { observer } = context.server;
    if (observer === undefined) return;
    process.exited.then((exit) => observer.programExited(service.name, exit));
  }

  /** The next bytes of its standard error, null at the end; never rejects. */
  async readStderr(): Promise<Uint8Array | null> {
    try {
      return await this.#process.readStderr();
    } catch (error) {
      this.#log("debug", "cannot read the standard error of a program", {
        text: messageOf(error),
      });
      return null;
    }
  }

  /** Logs its standard error from now on. */
  logStderr(): void {
    const log = {
      line: (text: string) => this.#log("info", "stderr", { text }),
      dropped: (lines: number) =>
        this.#log(
          "warn",
          "a program wrote too much to stderr, lines were dropped",
          { lines },
        ),
    };
    this.#logged = logLines(() => this.readStderr(), log, this.#timers);
  }

  /**
   * Waits for the program to exit, however long after the end of its output
   * that is, unless `abort` is called. Then ends its group.
   *
   * @returns a note of how it ended; empty where there is nothing to note
   */
  async finish(): Promise<string> {
    const exit = await this.#exit;
    await this.end();
    if (exit === undefined) return "the server ended the program";
    if (exit.signal !== null) return `the program was killed by ${exit.signal}`;
    return exit.code === 0 ? "" : `the program exited with status ${exit.code}`;
  }

  /** Stops waiting for the program, and ends it. */
  abort(): void {
    this.#stopWaiting();
    this.end();
  }

  /** Ends its group after the grace time, if it has not ended by then. */
  endLater(): void {
    const grace = Math.max(1, this.#service.killGrace); // 0 would set no limit
    this.#ending ??= this.#timers.after(grace, () => this.end());
  }

  /** Ends its group, and closes our end of its pipes. Never rejects. */
  end(): Promise<void> {
    this.#ending?.cancel();
    return this.#ended ??= this.#end();
  }

  async #end(): Promise<void> {
    try {
      await endGroup(this.#process, this.#service.killGrace, this.#timers);
      const { id: conn, server } = this.#context;
      const { name: service } = this.#service;
      const { listener } = server;
      server.leavers.ended({ conn, service, listener, began: this.#began });
    } catch (error) {
      this.#log("error", "cannot end a program", { text: messageOf(error) });
    }
    await resolvesInTime(STDERR_GRACE, this.#logged, this.#timers);
    this.#process.closeStderr();
  }

  get #timers(): TimerList {
    return this.#context.server.transport.timers;
  }

  #log(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.#context.server.log(level, message, {
      conn: this.#context.id,
      service: this.#service.name,
      pid: this.#process.pid,
      ...fields,
    });
  }
}

/**
 * Ends all processes of a group: by SIGTERM, and by SIGKILL those that are left
 * after the grace time.
 *
 * @param grace milliseconds
 * @throws {TcpmuxError} where the group cannot be ended
 */
async function endGroup(
  process: Process,
  grace: number,
  timers: TimerList,
): Promise<void> {
  if (!process.signalGroup("SIGTERM")) return;
  const end = performance.now() + grace;
  for (
    let pause = 5;
    performance.now() < end;
    pause = Math.min(200, 2 * pause)
  ) {
    await sleep(pause);
    if (!process.signalGroup(0)) return;
  }
  process.signalGroup("SIGKILL");
  if (await resolvesInTime(KILL_TIME, process.exited, timers)) return;
  throw new TcpmuxError("timed_out", "it still runs after SIGKILL");
}

/**
 * Waits for a promise, but only so many milliseconds.
 *
 * @returns whether it has resolved
 */
export function resolvesInTime(
  milliseconds: number,
  waited: Promise<unknown>,
  timers: TimerList,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = timers.after(milliseconds, () => resolve(false));
    waited.then(() => resolve(true), reject).finally(() => timer?.cancel());
  });
}
