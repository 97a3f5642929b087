import type { AddressSet } from "./access.ts";
import { BoundedMap } from "./bounded_map.ts";

/** What a source can be blamed for. */
export type Offence = "unknown" | "malformed" | "unfinished";

/** All times in milliseconds. */
export interface PenaltySettings {
  /** What each offence adds to a source's account. */
  readonly unknown: number;
  readonly malformed: number;
  readonly unfinished: number;
  /** The account at which the source is refused, and for how long at first. */
  readonly threshold: number;
  readonly max: number;
  /** Who is never refused for this. */
  readonly exempt: AddressSet;
}

interface Entry {
  /** Sinks by a millisecond each millisecond. */
  account: number;
  at: number;
  /** How often it has been refused in a row. */
  times: number;
  until: number;
}

/** Sources that are remembered; beyond that the oldest are forgotten. */
const MAX_SOURCES = 65_536;

/**
 * Refuses for a while a source that keeps asking for what is not there or
 * never finishes its line: each time twice as long, up to a bound, until it
 * has behaved for as long as that (PerSourcePenalties of sshd_config(5)).
 */
export class Penalties {
  #entries: BoundedMap<Entry>;

  constructor(most = MAX_SOURCES) {
    this.#entries = new BoundedMap(most);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @param now milliseconds, never less than before */
  blame(
    source: string,
    offence: Offence,
    settings: PenaltySettings,
    now: number,
  ): void {
    if (settings[offence] === 0) return;
    const isOver = (entry: Entry) => now > forgottenAt(entry, settings);
    let entry = this.#entries.get(source);
    if (entry === undefined || isOver(entry)) {
      this.#entries.prune(isOver);
      entry = { account: 0, at: now, times: 0, until: -Infinity };
      this.#entries.set(source, entry);
    }
    if (now < entry.until) return; // it came in before it was refused
    const sunk = Math.max(0, entry.account - (now - entry.at));
    entry.account = sunk + settings[offence];
    entry.at = now;
    if (entry.account < settings.threshold) return;
    const { threshold, max } = settings;
    entry.until = now + Math.min(threshold * 2 ** entry.times, max);
    entry.times++;
    entry.account = 0;
  }

  /** Milliseconds for which it is refused from now on; 0 for none. */
  left(source: string, now: number): number {
    return Math.max(0, (this.#entries.get(source)?.until ?? 0) - now);
  }
}

function forgottenAt({ until, at }: Entry, { max }: PenaltySettings): number {
  return Math.max(until, at) + max;
}
