/** The lines of the log, on their way to where the log goes. */
import { fstatSync } from "node:fs";
import { setImmediate, setTimeout } from "node:timers/promises";
import {
  bareLine,
  jsonLine,
  type Log,
  LOG_LEVELS,
  type LogLine,
  SEVERITIES,
  textLine,
} from "../../log.ts";
import type { LogSettings } from "../../table/table.ts";
import type { GetEnv } from "../../transport/permission.ts";
import type { Output } from "../../transport/system.ts";
import { type LogSink, PartlyWritten } from "../logs/log_sink.ts";
import { XinetdLines } from "../logs/xinetd_lines.ts";
import { PATIENCE, printError, settlesWithin } from "../system.ts";

/** Characters of lines that may wait for the log's reader. */
const MOST_WAITING = 4 * 1024 * 1024;

/**
 * Milliseconds from one write to the next. A write may cost as much as all else
 * that a connection costs, so those of a busy server take many lines each.
 */
const WRITE_PAUSE = 10;

/** Characters of one write. */
const MOST_WRITTEN = 64 * 1024;

const encoder = new TextEncoder();

interface Entry {
  readonly text: string;
  /** Lines that are lost with it. */
  readonly lines: number;
}

/**
 * Lines on their way to the log's reader. A reader that stands still holds
 * nothing up: lines that do not fit any more are dropped and counted.
 */
export class LogQueue {
  readonly #output: Output;
  readonly #isJournal: boolean;
  readonly #sink: LogSink | undefined;
  #format: LogSettings["format"] = "text";
  #xinetd = new XinetdLines();
  /** Of the last line: a busy server has many in a millisecond. */
  #time = new Date(0);
  #stamp = "";
  #waiting: Entry[] = [];
  #size = 0;
  #dropped = 0;
  #isWriting = false;
  #isFailing = false;
  /** When the last write began, by `performance.now()`. */
  #lastWrite = -WRITE_PAUSE;
  #written: Promise<void> | undefined;
  readonly #onExit = () => this.#writeRest();

  /**
   * @param isJournal whether its reader is systemd's
   * @param sink what it writes to in place of standard error
   */
  constructor(output: Output, isJournal = false, sink?: LogSink) {
    this.#output = output;
    this.#isJournal = isJournal;
    this.#sink = sink;
    process.on("exit", this.#onExit);
  }

  /**
   * A log with these settings, whose lines go into this queue.
   *
   * @param xinetd what makes the lines where the format is xinetd's
   */
  log(
    { level: lowest, format }: Pick<LogSettings, "level" | "format">,
    xinetd: XinetdLines,
  ): Log {
    this.#format = format;
    this.#xinetd = xinetd;
    const lowestIndex = LOG_LEVELS.indexOf(lowest);
    return (given, message, fields = {}) => {
      const level = format === "xinetd"
        ? xinetd.levelOf(given, message)
        : given;
      if (LOG_LEVELS.indexOf(level) < lowestIndex) return;
      this.print(this.#line(level, message, fields));
    };
  }

  print(text: string): void {
    // The last write has failed: perhaps there is room on the disk by now.
    if (this.#dropped > 0 && this.#written === undefined) this.#report();
    // All lines are dropped behind a first one, until that has been reported.
    if (this.#dropped > 0 || this.#size + text.length > MOST_WAITING) {
      this.#dropped++;
      return;
    }
    this.#push({ text, lines: 1 });
    this.#written ??= this.#write();
  }

  /** Resolves when all is written, and after a second at the latest. */
  async flush(): Promise<void> {
    await settlesWithin(PATIENCE, this.#written);
  }

  /** Writes what it can within a second, and gives back what it writes to. */
  async close(): Promise<void> {
    await this.flush();
    this.#waiting = []; // for which there is no time any more
    process.removeListener("exit", this.#onExit);
    this.#output.release?.();
  }

  /** Writes as often as the pause allows, or as the reader reads. */
  async #write(): Promise<void> {
    const wait = this.#lastWrite + WRITE_PAUSE - performance.now();
    await (wait <= 0 ? setImmediate() : setTimeout(Math.ceil(wait)));
    this.#lastWrite = performance.now();
    while (this.#waiting.length > 0) {
      const { text, entries } = this.#take();
      this.#isWriting = true;
      try {
        await this.#output.write(encoder.encode(text));
        this.#isFailing = false;
        if (this.#dropped > 0 && this.#size < MOST_WRITTEN) this.#report();
      } catch (error) {
        this.#dropped += linesLost(entries, error);
        if (!this.#isFailing) this.#sink?.failed(error);
        this.#isFailing = true;
      }
      this.#isWriting = false;
    }
    this.#written = undefined;
  }

  #take(): { text: string; entries: Entry[] } {
    const most = this.#sink?.isLinewise ? 1 : MOST_WRITTEN;
    let [text, count] = ["", 0];
    while (count < this.#waiting.length && text.length < most) {
      text += this.#waiting[count++]!.text;
    }
    this.#size -= text.length;
    return { text, entries: this.#waiting.splice(0, count) };
  }

  #push(entry: Entry): void {
    this.#waiting.push(entry);
    this.#size += entry.text.length;
  }

  #report(): void {
    const lines = this.#dropped;
    this.#dropped = 0;
    const message =
      "log lines were dropped, the log could not be written in time";
    this.#push({ text: this.#line("warn", message, { lines }), lines });
  }

  #line(...[level, message, fields = {}]: Parameters<Log>): string {
    const now = Date.now();
    if (this.#time.getTime() !== now) {
      this.#time = new Date(now);
      this.#stamp = this.#time.toISOString();
    }
    const line = {
      time: this.#time,
      stamp: this.#stamp,
      level,
      message,
      fields,
    };
    const frame = this.#sink?.frame;
    if (frame !== undefined) return frame(line, this.#body(line).trimEnd());
    if (this.#isJournal) return journalLine(line, this.#body(line));
    switch (this.#format) {
      case "text":
        return textLine(line);
      case "json":
        return jsonLine(line);
      case "xinetd":
        return this.#xinetd.line(line);
    }
  }

  #body(line: LogLine): string {
    switch (this.#format) {
      case "text":
        return bareLine(line);
      case "json":
        return jsonLine(line);
      case "xinetd":
        return this.#xinetd.body(line);
    }
  }

  /** Where the program ends by an unexpected error. */
  #writeRest(): void {
    if (this.#isWriting || this.#size === 0) return;
    const { text } = this.#take();
    if (this.#sink === undefined) printError(text);
    else this.#sink.write(encoder.encode(text)).catch(() => {}); // it is over
  }
}

/** The lines that a failed write has not taken as a whole. */
function linesLost(entries: readonly Entry[], error: unknown): number {
  let taken = error instanceof PartlyWritten ? error.taken : 0;
  return entries.reduce((lost, { text, lines }) => {
    taken -= encoder.encode(text).length;
    return taken < 0 ? lost + lines : lost;
  }, 0);
}

/** Whether standard error is the stream that systemd has made for it. */
export function isJournal(getEnv: GetEnv): boolean {
  const stream = getEnv("JOURNAL_STREAM");
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(2, { bigint: true });
    return stream === `${dev}:${ino}`;
  } catch {
    return false; // it is closed
  }
}

/**
 * With its priority, and without a time, which the journal has itself.
 *
 * @param body what the line says in the format of the log
 */
function journalLine({ level }: LogLine, body: string): string {
  return `<${SEVERITIES[level]}>${body}`;
}
