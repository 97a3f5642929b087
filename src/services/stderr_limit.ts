import { after, type Timeout } from "../timeouts.ts";

/** Lines that may come at once: more than a stack trace has. */
const BURST = 200;

/** Lines a second of one that goes on: 20 KiB at the most, 2 GiB a day. */
const RATE = 10;

/** Milliseconds without a dropped line after which it has calmed down. */
const CALM = 5_000;

/**
 * How much of a program's standard error the log takes, so that one program
 * fills neither the disk nor the time of who reads the log.
 */
export class StderrLimit {
  #tokens = BURST;
  #filled = performance.now();
  #dropped = 0;
  #droppedAt = 0;
  #timeout: Timeout | undefined;
  #tell: (lines: number) => void;

  /** @param tell told how many lines were dropped, when that is over */
  constructor(tell: (lines: number) => void) {
    this.#tell = tell;
  }

  /** Whether one more line may be logged. */
  take(): boolean {
    // Most lines of a flood come within one millisecond.
    if (this.#tokens < 1) this.#refill();
    if (this.#tokens >= 1) {
      this.#tokens--;
      return true;
    }
    this.#dropped++;
    this.#droppedAt = this.#filled;
    this.#timeout ??= after(CALM, this.#look);
    return false;
  }

  /** There are no more lines. */
  end(): void {
    this.#timeout?.cancel();
    this.#report();
  }

  #refill(): void {
    const now = performance.now();
    const earned = (now - this.#filled) / 1000 * RATE;
    this.#tokens = Math.min(BURST, this.#tokens + earned);
    this.#filled = now;
  }

  #look = (): void => {
    const isCalm = performance.now() - this.#droppedAt >= CALM;
    this.#timeout = isCalm ? undefined : after(CALM, this.#look);
    if (isCalm) this.#report();
  };

  #report(): void {
    if (this.#dropped > 0) this.#tell(this.#dropped);
    this.#dropped = 0;
  }
}
