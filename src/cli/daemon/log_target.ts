/** The log of a daemon: where it goes, and by which settings. */
import type { Log, LogFormat, LogLevel, LogTo } from "../../log.ts";
import { formatProblem, type Problem } from "../../table/problem.ts";
import type { LogSettings, Prepared } from "../../table/table.ts";
import { getEnv } from "../../transport/permission.ts";
import type { Output } from "../../transport/system.ts";
import type { Transport } from "../../transport/transport.ts";
import { exitCodeOf, explain } from "../exit.ts";
import type { LogSink } from "../logs/log_sink.ts";
import { showsSessions, XinetdLines } from "../logs/xinetd_lines.ts";
import { isJournal, LogQueue } from "./log_queue.ts";

/** Milliseconds in which the same sentence is said once. */
const RARELY = 10 * 60 * 1000;

const STDERR = { kind: "stderr" } as const;

/** Where lines go now. */
interface Target {
  readonly settings: Pick<LogSettings, "to" | "syslogFormat">;
  readonly queue: LogQueue;
  /** Undefined for standard error. */
  readonly sink?: LogSink;
}

/**
 * The log of a daemon: on standard error, until a table in force says where
 * else it goes. What keeps the log from its place is said on standard error.
 */
export class LogTarget {
  readonly #transport: Transport;
  readonly #stderr: LogQueue;
  #target: Target;
  #xinetd = new XinetdLines();
  #log: Log;
  #retired: Promise<void> = Promise.resolve();
  #said = { problem: "", until: 0 };

  /** @param stderr also takes what is no line of the log */
  constructor(transport: Transport, stderr: LogQueue) {
    this.#transport = transport;
    this.#stderr = stderr;
    const settings = { to: STDERR, syslogFormat: undefined };
    this.#target = { settings, queue: stderr };
    this.#log = stderr.log({ level: "info", format: "text" }, this.#xinetd);
  }

  /** Logs by the settings in force. */
  readonly log: Log = (level, message, fields) =>
    this.#log(level, message, fields);

  /**
   * Opens what the log is to go to next.
   *
   * @throws {TcpmuxError} where that cannot be had
   */
  async prepare(settings: LogSettings): Promise<Prepared> {
    const { to, syslogFormat } = settings;
    const next = isSame({ to, syslogFormat }, this.#target.settings)
      ? this.#target
      : await this.#open(settings);
    return {
      commit: () => {
        if (next === this.#target) this.reopen();
        else this.#retire(next);
        if (!showsSessions(settings)) this.#xinetd = new XinetdLines();
        this.#log = next.queue.log(settings, this.#xinetd);
      },
      undo: () => {
        if (next !== this.#target) this.#close(next);
      },
    };
  }

  async #open({ to, syslogFormat }: LogSettings): Promise<Target> {
    const settings = { to, syslogFormat };
    if (to.kind === "stderr") return { settings, queue: this.#stderr };
    const sink = await this.#sinkFor(to, syslogFormat);
    return { settings, queue: new LogQueue(sink, false, sink), sink };
  }

  /** Loads what the table asks for, and no more. */
  async #sinkFor(
    to: Exclude<LogTo, typeof STDERR>,
    format: LogSettings["syslogFormat"],
  ): Promise<LogSink> {
    const say = (problem: string) => this.#say(problem);
    if (to.kind === "file") {
      const { LogFile } = await import("../logs/log_file.ts");
      return new LogFile(to.path, say);
    }
    const { openSyslog } = await import("../logs/syslog.ts");
    return await openSyslog(to, format, this.#transport, say);
  }

  #say(problem: string): void {
    const now = performance.now();
    if (problem === this.#said.problem && now < this.#said.until) return;
    this.#said = { problem, until: now + RARELY };
    this.#stderr.print(`tcpmux: ${problem}\n`);
  }

  /** What waits in the old queue still goes where that leads. */
  #retire(next: Target): void {
    const last = this.#target;
    this.#target = next;
    this.#close(last);
  }

  #close({ queue, sink }: Target): void {
    if (sink === undefined) return; // standard error stays
    this.#retired = Promise.all([this.#retired, queue.close()]).then(() => {});
  }

  /** Opens a file under its name again: it may have been renamed. */
  reopen(): void {
    this.#target.sink?.reopen?.();
  }

  /** Writes what waits, for a second at most, and opens nothing any more. */
  async close(): Promise<void> {
    if (this.#target.sink !== undefined) await this.#target.queue.close();
    await this.#retired;
    await this.#stderr.flush();
  }
}

/**
 * Runs a program with its log.
 *
 * @param stderr its standard error
 * @returns its exit code; why it ends by an error is said behind the log
 */
export async function withLog(
  transport: Transport,
  stderr: Output,
  run: (logs: LogTarget) => Promise<number>,
): Promise<number> {
  const queue = new LogQueue(stderr, isJournal(getEnv));
  const logs = new LogTarget(transport, queue);
  try {
    return await run(logs);
  } catch (error) {
    queue.print(explain(error));
    return exitCodeOf(error);
  } finally {
    await logs.close();
  }
}

function isSame(one: Target["settings"], other: Target["settings"]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** Logs advice that is new; what holds for several services, once. */
export function logAdvice(
  advice: readonly Problem[],
  known: readonly Problem[],
  log: Log,
): void {
  const alike = new Map<string, Problem[]>();
  for (const problem of advice) {
    const { key, message } = problem;
    if (known.some((one) => one.key === key && one.message === message)) {
      continue;
    }
    alike.set(message, [...alike.get(message) ?? [], problem]);
  }
  for (const [first, ...more] of alike.values()) {
    const key = more.length === 0
      ? first!.key
      : `${first!.key} and ${more.length} more`;
    log("warn", "warning about the table", {
      advice: formatProblem({ ...first!, key }),
    });
  }
}

/** The log settings of the command line, which override the table's. */
export function logOf(
  flags: {
    readonly "log-format"?: LogFormat | undefined;
    readonly "log-level"?: LogLevel | undefined;
  },
): Partial<LogSettings> {
  const { "log-format": format, "log-level": level } = flags;
  return {
    ...(format === undefined ? {} : { format }),
    ...(level === undefined ? {} : { level }),
  };
}
