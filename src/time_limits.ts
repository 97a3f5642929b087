import type { Service } from "./table/service.ts";
import { after, type Timeout } from "./timers.ts";

/** What tells when something last moved, by `performance.now()`. */
interface Activity {
  readonly lastActivity: number;
}

/** What is ended, with the reason. */
interface Limited {
  stop(outcome: "timeout", reason: string): void;
}

/** @returns undefined where the service has none */
export function limitsOf(
  service: Service,
  activity: Activity,
  limited: Limited,
): TimeLimits | undefined {
  return service.maxDuration > 0 || service.idleTimeout > 0
    ? new TimeLimits(service, activity, limited)
    : undefined;
}

/** Ends a session that lasts too long, or in which nothing moves. */
export class TimeLimits {
  #idleTimeout: number;
  #activity: Activity;
  #limited: Limited;
  #idle: Timeout | undefined;
  #whole: Timeout | undefined;

  constructor(service: Service, activity: Activity, limited: Limited) {
    this.#idleTimeout = service.idleTimeout;
    this.#activity = activity;
    this.#limited = limited;
    if (service.maxDuration > 0) this.#limit(service.maxDuration);
    if (service.idleTimeout > 0) this.#idle = after(service.idleTimeout, this);
  }

  stop(): void {
    this.#idle?.cancel();
    this.#whole?.cancel();
  }

  #limit(maxDuration: number): void {
    this.#whole = after(maxDuration, () => this.#over("max_duration"));
  }

  /** Looks whether it has really been idle for so long. */
  expired(): void {
    const idleTime = performance.now() - this.#activity.lastActivity;
    const left = this.#idleTimeout - idleTime;
    if (left <= 0) return this.#over("idle_timeout");
    // In steps, so that connections share their timers.
    const step = this.#idleTimeout / 16;
    this.#idle = after(Math.ceil(left / step) * step, this);
  }

  #over(key: string): void {
    this.stop();
    this.#limited.stop("timeout", `${key} is over`);
  }
}
