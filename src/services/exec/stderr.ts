import { Bucket, type Rate } from "../../policy/rate.ts";
import type { Timer, TimerList } from "../../timers.ts";

/** Bytes of one line of standard error that the log shows. */
const MAX_LINE = 2048;

/**
 * Lines that one program may log: 200 at once, more than a stack trace has,
 * then 10 a second, which is 20 KiB a second at the most.
 */
const RATE: Rate = { perMillisecond: 0.01, burst: 200 };

/** Milliseconds without a dropped line after which the drops are reported. */
const CALM = 5_000;

const LF = 10;
const CR = 13;

/** Where the lines of a program's standard error go. */
export interface StderrLog {
  line(text: string): void;
  /** Reports that so many lines were not logged. */
  dropped(lines: number): void;
}

/**
 * Logs a program's standard error line by line, until it ends. It is read as
 * fast as it comes, and excess lines are dropped: a program that has to wait
 * until its standard error is read does not answer its client either.
 *
 * @param read the next bytes; null at the end
 */
export async function logLines(
  read: () => Promise<Uint8Array | null>,
  log: StderrLog,
  timers: TimerList,
): Promise<void> {
  const limited = new LimitedLog(log, timers);
  const lines = new Lines(limited);
  for (let bytes; (bytes = await read()) !== null;) lines.take(bytes);
  lines.end();
  limited.end();
}

/**
 * Cuts bytes into lines. Of a line that is too long only the beginning is held
 * and logged.
 */
class Lines {
  readonly #log: LimitedLog;
  readonly #decoder = new TextDecoder();
  readonly #held = new Uint8Array(MAX_LINE);
  #length = 0;
  /** Whether the beginning of the current line was logged already. */
  #cut = false;

  constructor(log: LimitedLog) {
    this.#log = log;
  }

  take(bytes: Uint8Array): void {
    let start = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== LF) continue;
      this.#hold(bytes, start, at);
      this.#logHeld();
      this.#cut = false;
      start = at + 1;
    }
    this.#hold(bytes, start, bytes.length);
  }

  end(): void {
    if (this.#length > 0) this.#logHeld();
  }

  #hold(bytes: Uint8Array, start: number, end: number): void {
    if (this.#cut || start === end) return;
    const room = MAX_LINE - this.#length;
    const part = bytes.subarray(start, Math.min(end, start + room));
    this.#held.set(part, this.#length);
    this.#length += part.length;
    if (end - start <= room) return;
    this.#logHeld();
    this.#cut = true;
  }

  #logHeld(): void {
    if (!this.#cut && this.#log.hasRoom()) {
      let end = this.#length;
      if (end > 0 && this.#held[end - 1] === CR) end--;
      this.#log.line(this.#decoder.decode(this.#held.subarray(0, end)));
    }
    this.#length = 0;
  }
}

/**
 * Limits the lines of one program, which could otherwise fill the disk. The
 * lines that a flood has lost are reported together, when it is over.
 */
class LimitedLog {
  readonly #log: StderrLog;
  readonly #timers: TimerList;
  readonly #bucket = new Bucket(RATE, performance.now());
  #dropped = 0;
  #droppedAt = 0;
  #timer: Timer | undefined;

  constructor(log: StderrLog, timers: TimerList) {
    this.#log = log;
    this.#timers = timers;
  }

  /** Whether one more line may be logged; if not, it counts as dropped. */
  hasRoom(): boolean {
    const now = performance.now();
    if (this.#bucket.take(RATE, now)) return true;
    this.#dropped++;
    this.#droppedAt = now;
    this.#timer ??= this.#timers.after(CALM, this);
    return false;
  }

  line(text: string): void {
    this.#log.line(text);
  }

  expired(): void {
    const isCalm = performance.now() - this.#droppedAt >= CALM;
    this.#timer = isCalm ? undefined : this.#timers.after(CALM, this);
    if (isCalm) this.#report();
  }

  /** Standard error has ended. */
  end(): void {
    this.#timer?.cancel();
    this.#report();
  }

  #report(): void {
    if (this.#dropped > 0) this.#log.dropped(this.#dropped);
    this.#dropped = 0;
  }
}
