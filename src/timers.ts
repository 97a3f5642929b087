import { setTimeout } from "node:timers";
import { LinkedList, ListNode } from "./linked_list.ts";

/** A wait that may be called off. */
export interface Timeout {
  /** @returns whether it was still waiting */
  cancel(): boolean;
}

/** What is told when its time is over: itself, or a function of it. */
export type Waiting = { expired(): void } | (() => void);

class Entry extends ListNode implements Timeout {
  readonly due: number;
  readonly waiting: Waiting;
  readonly #lane: Lane;

  constructor(due: number, waiting: Waiting, lane: Lane) {
    super();
    this.due = due;
    this.waiting = waiting;
    this.#lane = lane;
  }

  cancel(): boolean {
    return this.#lane.remove(this);
  }
}

/**
 * All waits of one length. They end in the order in which they began, so one
 * timer for the first of them does for ten thousand.
 */
class Lane {
  readonly #length: number;
  /** In the order of their ends. */
  readonly #entries = new LinkedList<Entry>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(length: number) {
    this.#length = length;
  }

  add(waiting: Waiting): Timeout {
    const entry = new Entry(performance.now() + this.#length, waiting, this);
    this.#entries.add(entry);
    if (this.#timer === undefined) this.#arm(this.#length);
    else if (this.#entries.size === 1) this.#timer.ref();
    return entry;
  }

  remove(entry: Entry): boolean {
    if (!this.#entries.remove(entry)) return false;
    // Kept: that costs less than one for each wait.
    if (this.#entries.size === 0) this.#timer?.unref();
    return true;
  }

  #arm(milliseconds: number): void {
    const wait = Math.min(Math.ceil(milliseconds), LONGEST);
    this.#timer = setTimeout(() => this.#expire(), wait);
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    const due: Entry[] = [];
    for (let entry; (entry = this.#entries.first) !== undefined;) {
      if (entry.due > now) {
        this.#arm(entry.due - now);
        break;
      }
      this.#entries.remove(entry);
      due.push(entry);
    }
    if (this.#timer === undefined) lanes.delete(this.#length);
    for (const { waiting } of due) {
      if (typeof waiting === "function") waiting();
      else waiting.expired();
    }
  }
}

/** Milliseconds that one timer can wait; more makes several of them. */
const LONGEST = 2 ** 31 - 1;

const lanes = new Map<number, Lane>();

/**
 * Tells `waiting` after so many milliseconds, as `setTimeout` does. Made for
 * waits of which there are thousands and of which most are called off; what
 * waits itself needs no function for it.
 */
export function after(milliseconds: number, waiting: Waiting): Timeout {
  let lane = lanes.get(milliseconds);
  if (lane === undefined) {
    lane = new Lane(milliseconds);
    lanes.set(milliseconds, lane);
  }
  return lane.add(waiting);
}
