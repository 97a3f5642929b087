import { Bucket, type Rate } from "../../policy/rate.ts";
import { after, type Timeout } from "../../timers.ts";

/**
 * Lines: more at once than a stack trace has, and then 20 KiB a second at the
 * most, 2 GiB a day.
 */
const RATE: Rate = { perMillisecond: 0.01, burst: 200 };

/** Milliseconds without a dropped line after which it has calmed down. */
const CALM = 5_000;

/**
 * How much of a program's standard error the log takes, so that one program
 * fills neither the disk nor the time of who reads the log.
 */
export class StderrLimit {
  #bucket = new Bucket(RATE, performance.now());
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
    const now = performance.now();
    if (this.#bucket.take(RATE, now)) return true;
    this.#dropped++;
    this.#droppedAt = now;
    this.#timeout ??= after(CALM, this.#look);
    return false;
  }

  /** There are no more lines. */
  end(): void {
    this.#timeout?.cancel();
    this.#report();
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
