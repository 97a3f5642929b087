import { setTimeout } from "node:timers";
import { LinkedList, ListNode } from "./linked_list.ts";

/** A wait that can be cancelled. */
export interface Timer {
  /** @returns whether it was still waiting */
  cancel(): boolean;
}

/** What is called when its time is over: its own method, or a function. */
export type Expiring = { expired(): void } | (() => void);

/** The most milliseconds of a runtime's timer; longer waits take several. */
const LONGEST = 2 ** 31 - 1;

/**
 * Milliseconds by which a timer must be late to show that the process has stood
 * still (stopped by a signal, on a machine that was paused), and the milliseconds
 * that it then has to read what came in time.
 */
const STANDSTILL = 1_000;
const CATCH_UP = 100;

/**
 * Thousands of waits, most of which are cancelled. All waits of one length end
 * in the order in which they began, so one timer of the runtime, for the first
 * of them, is enough for all.
 */
export class TimerList {
  #byLength = new Map<number, EqualWaits>();

  /**
   * Calls `expiring` after so many milliseconds.
   *
   * @returns undefined for 0 milliseconds, which set no limit
   */
  after(milliseconds: number, expiring: Expiring): Timer | undefined {
    if (milliseconds === 0) return undefined;
    let waits = this.#byLength.get(milliseconds);
    if (waits === undefined) {
      const forget = () => this.#byLength.delete(milliseconds);
      waits = new EqualWaits(milliseconds, forget);
      this.#byLength.set(milliseconds, waits);
    }
    return waits.add(expiring);
  }

  /** Waits for work; calls `expiring` if that takes so many milliseconds. */
  async within<T>(
    milliseconds: number,
    work: Promise<T>,
    expiring: Expiring,
  ): Promise<T> {
    const timer = this.after(milliseconds, expiring);
    try {
      return await work;
    } finally {
      timer?.cancel();
    }
  }
}

/**
 * The rest of a time that is for several waits together, at least a moment.
 *
 * @param limit milliseconds; 0 for no limit, which has no end either
 * @param begin when it began, by `performance.now()`
 */
export function timeLeft(limit: number, begin: number): number {
  const spent = performance.now() - begin;
  return limit === 0 ? 0 : Math.max(1, Math.ceil(limit - spent));
}

class Wait extends ListNode implements Timer {
  readonly due: number;
  readonly expiring: Expiring;
  readonly #waits: EqualWaits;

  constructor(due: number, expiring: Expiring, waits: EqualWaits) {
    super();
    this.due = due;
    this.expiring = expiring;
    this.#waits = waits;
  }

  cancel(): boolean {
    const { list, timer } = this.#waits;
    if (!list.remove(this)) return false;
    // The runtime's timer is kept: that costs less than a new one each time.
    if (list.size === 0) timer?.unref();
    return true;
  }
}

/** All waits of one length. */
class EqualWaits {
  readonly #length: number;
  readonly #forget: () => void;
  /** In the order of their ends. */
  readonly list = new LinkedList<Wait>();
  timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #due = 0;
  #isCatchingUp = false;

  constructor(length: number, forget: () => void) {
    this.#length = length;
    this.#forget = forget;
  }

  add(expiring: Expiring): Timer {
    const wait = new Wait(performance.now() + this.#length, expiring, this);
    this.list.add(wait);
    if (this.list.size > 1) return wait; // the first of them has a timer
    if (this.timer === undefined) this.#arm(this.#length);
    else this.timer.ref();
    return wait;
  }

  #arm(milliseconds: number): void {
    const wait = Math.min(Math.ceil(milliseconds), LONGEST);
    this.#due = performance.now() + wait;
    this.timer = setTimeout(() => this.#expire(), wait);
  }

  #expire(): void {
    this.timer = undefined;
    const now = performance.now();
    this.#isCatchingUp = !this.#isCatchingUp && now - this.#due > STANDSTILL;
    if (this.#isCatchingUp) return this.#arm(CATCH_UP);
    try {
      for (let wait; (wait = this.list.first) !== undefined;) {
        if (wait.due > now) break;
        this.list.remove(wait);
        if (typeof wait.expiring === "function") wait.expiring();
        else wait.expiring.expired();
      }
    } finally {
      this.#goOn(now); // even where one of them has thrown
    }
  }

  #goOn(now: number): void {
    if (this.timer !== undefined) return; // an expired wait has added another
    const next = this.list.first;
    if (next === undefined) this.#forget();
    else this.#arm(Math.max(0, next.due - now));
  }
}
