import { TcpmuxError } from "./errors.ts";
import type { EndCode } from "./policy/ending.ts";
import type { TimerList } from "./timers.ts";
import type { Conn } from "./transport/transport.ts";

/** What is counted of a session. */
export interface Counters {
  /** Bytes from the client that the other side has taken. */
  bytesIn: number;
  /** Bytes that were sent to the client. */
  bytesOut: number;
  /** When a byte moved last, by `performance.now()`. */
  lastMoved: number;
}

/** Deadlines of a relay, in milliseconds; 0 for none. */
export interface RelayLimits {
  /** Without a byte either way. */
  readonly idleTimeout: number;
  /** Without a byte either way, once one side has ended. */
  readonly halfClosedTimeout: number;
  /** For a side to take some of the bytes that wait for it here. */
  readonly stallTimeout: number;
}

export interface RelayOptions {
  readonly client: Conn;
  readonly service: Conn;
  readonly counters: Counters;
  readonly limits: RelayLimits;
  readonly timers: TimerList;
}

/** The keys of a table that say the {@linkcode RelayLimits}. */
type TimeKey = "idle_timeout" | "half_closed_timeout" | "stall_timeout";

/** One of the {@linkcode RelayLimits} was reached. */
export class MissedDeadline extends TcpmuxError {
  readonly key: TimeKey;

  constructor(key: TimeKey) {
    super("timed_out", `${key} expired`);
    this.key = key;
  }
}

/**
 * Milliseconds within which a service must take some of the bytes that a client
 * has sent before it went away.
 */
export const TAKE_TIME = 5_000;

const KEYS: Readonly<Record<keyof RelayLimits, TimeKey>> = {
  idleTimeout: "idle_timeout",
  halfClosedTimeout: "half_closed_timeout",
  stallTimeout: "stall_timeout",
};

/** A time that something may take, and what is said when it is over. */
export interface TimeLimit {
  /** Milliseconds; 0 for no limit. */
  readonly time: number;
  readonly code: EndCode;
  readonly reason: string;
}

/** The shorter of two limits; 0 where there is neither. */
export function shorterLimit(
  limits: RelayLimits,
  one: keyof RelayLimits,
  other: keyof RelayLimits,
): TimeLimit {
  const isOne = limits[other] === 0 ||
    limits[one] > 0 && limits[one] <= limits[other];
  const name = isOne ? one : other;
  const code = KEYS[name];
  return { time: limits[name], code, reason: `${code} expired` };
}

/** Measures for how long bytes of one direction wait and none is taken. */
class Stall {
  #since: number | undefined;
  #taken = 0;

  /** Milliseconds since bytes began to wait and none has been taken. */
  time(isWaiting: boolean, taken: number): number {
    const now = performance.now();
    if (!isWaiting || taken !== this.#taken) this.#since = undefined;
    this.#taken = taken;
    if (!isWaiting) return 0;
    this.#since ??= now;
    return now - this.#since;
  }
}

/** Measures the stalls of both directions. */
export class Stalls {
  readonly #up = new Stall();
  readonly #down = new Stall();

  /**
   * The longer of the two, in milliseconds.
   *
   * @param up whether bytes of the client wait
   * @param down whether bytes for the client wait
   */
  longest(up: boolean, down: boolean, counters: Counters): number {
    return Math.max(
      this.#up.time(up, counters.bytesIn),
      this.#down.time(down, counters.bytesOut),
    );
  }
}
