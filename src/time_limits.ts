import type { Service } from "./table/service.ts";
import { after, type Timeout } from "./timeouts.ts";

/** What tells when something last moved, by `performance.now()`. */
interface Activity {
  readonly lastActivity: number;
}

/** What is ended, with the reason. */
interface Limited {
  stop(outcome: "timeout", reason: string): void;
}

/** Ends a session that lasts too long, or in which nothing moves. */
export class TimeLimits {
  #idleTimeout: number;
  #activity: Activity;
  #limited: Limited;
  #idle: Timeout | undefined;
  #whole: Timeout | undefined;

  constructor(
    { idleTimeout, maxDuration }: Service,
    activity: Activity,
    limited: Limited,
  ) {
    this.#idleTimeout = idleTimeout;
    this.#activity = activity;
    this.#limited = limited;
    if (maxDuration > 0) {
      this.#whole = after(maxDuration, () => this.#over("max_duration"));
    }
    if (idleTimeout > 0) this.#idle = after(idleTimeout, this.#look);
  }

  stop(): void {
    this.#idle?.cancel();
    this.#whole?.cancel();
  }

  #look = (): void => {
    const idleTime = performance.now() - this.#activity.lastActivity;
    const left = this.#idleTimeout - idleTime;
    if (left <= 0) return this.#over("idle_timeout");
    // In steps, so that connections share their timers.
    const step = this.#idleTimeout / 16;
    this.#idle = after(Math.ceil(left / step) * step, this.#look);
  };

  #over(key: string): void {
    this.stop();
    this.#limited.stop("timeout", `${key} is over`);
  }
}
