import type { Service } from "./table/service.ts";
import { after, type Timeout } from "./timeouts.ts";

/** Ends a session that lasts too long, or in which nothing moves. */
export class TimeLimits {
  #idle: Timeout | undefined;
  #whole: Timeout | undefined;

  /** @param end called with the reason, at most once */
  constructor(
    { idleTimeout, maxDuration }: Service,
    activity: { readonly lastActivity: number },
    end: (reason: string) => void,
  ) {
    const over = (reason: string) => {
      this.stop();
      end(reason);
    };
    if (maxDuration > 0) {
      this.#whole = after(maxDuration, () => over("max_duration is over"));
    }
    if (idleTimeout === 0) return;
    // In steps, so that connections share their timers.
    const step = idleTimeout / 16;
    const check = () => {
      const left = idleTimeout -
        (performance.now() - activity.lastActivity);
      if (left <= 0) over("idle_timeout is over");
      else this.#idle = after(Math.ceil(left / step) * step, check);
    };
    this.#idle = after(idleTimeout, check);
  }

  stop(): void {
    this.#idle?.cancel();
    this.#whole?.cancel();
  }
}
