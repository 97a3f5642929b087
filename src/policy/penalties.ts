/**
 * Why clients are refused before they have a service, as in sshd_config(5): the
 * penalties of their source, and too many unfinished handshakes.
 */
import type { Log } from "../log.ts";
import type { AddressSet } from "./access.ts";
import type { Outcome } from "./ending.ts";
import { BoundedMap } from "./rate.ts";

/** What a source gets penalties for. */
export type Offence = "unknown" | "malformed" | "unfinished";

/** The offence behind an outcome: unknown and forbidden services are one. */
export function offenceOf(outcome: Outcome): Offence | undefined {
  switch (outcome) {
    case "unknown":
    case "denied":
      return "unknown";
    case "malformed":
      return "malformed";
    case "timeout":
      return "unfinished";
    default:
      return undefined;
  }
}

/** All times in milliseconds. */
export interface PenaltySettings {
  /** What an offence adds to the score of its source. */
  readonly unknown: number;
  readonly malformed: number;
  readonly unfinished: number;
  /** The score at which a source is refused, and its first refusal's length. */
  readonly threshold: number;
  /** The longest refusal. */
  readonly max: number;
  /** Addresses that get no penalties. */
  readonly exempt: AddressSet;
}

interface Entry {
  /** The score at the time `at`; it decays by 1 each millisecond. */
  score: number;
  at: number;
  /** Refusals in a row, each twice as long as the one before. */
  times: number;
  /** When the last refusal ends. */
  until: number;
}

/** Scores that are kept; a new one replaces the least recently used one. */
const MAX_SOURCES = 65_536;

/**
 * Refuses a source for a while if it asks for many services that do not exist,
 * or often does not finish its service line. Each refusal is twice as long as
 * the one before, up to `max`, until the source has committed no offence for as
 * long as `max` (as PerSourcePenalties in sshd_config(5)).
 */
export class Penalties {
  #entries: BoundedMap<Entry>;

  constructor(most = MAX_SOURCES) {
    this.#entries = new BoundedMap(most);
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * @param now milliseconds, never less than before
   * @returns whether a penalty begins
   */
  blame(
    source: string,
    offence: Offence,
    settings: PenaltySettings,
    now: number,
  ): boolean {
    if (settings[offence] === 0) return false;
    const isOver = (entry: Entry) => now > forgottenAt(entry, settings);
    let entry = this.#entries.get(source);
    if (entry === undefined || isOver(entry)) {
      this.#entries.prune(isOver);
      entry = { score: 0, at: now, times: 0, until: -Infinity };
      this.#entries.set(source, entry);
    }
    // The connection was accepted before the source was refused.
    if (now < entry.until) return false;
    const rest = Math.max(0, entry.score - (now - entry.at));
    entry.score = rest + settings[offence];
    entry.at = now;
    if (entry.score < settings.threshold) return false;
    const { threshold, max } = settings;
    entry.until = now + Math.min(threshold * 2 ** entry.times, max);
    entry.times++;
    entry.score = 0;
    return true;
  }

  /** Milliseconds for which the source is still refused; 0 if it is not. */
  left(source: string, now: number): number {
    return Math.max(0, (this.#entries.get(source)?.until ?? 0) - now);
  }
}

function forgottenAt({ until, at }: Entry, { max }: PenaltySettings): number {
  return Math.max(until, at) + max;
}

/** How many sources are remembered, so that each is logged once. */
const MOST_SAID = 1024;

/**
 * Logs once for each source that it is penalised while it has live sessions.
 * Behind a gateway many clients are one source, and one of them may get all of
 * them refused.
 */
export class SharedSourceLog {
  readonly #log: Log;
  readonly #said = new BoundedMap<true>(MOST_SAID);

  constructor(log: Log) {
    this.#log = log;
  }

  note(source: string): void {
    if (this.#said.get(source)) return;
    this.#said.set(source, true);
    this.#log("warn", "a source with live sessions is penalised", {
      source,
      reason: "many clients may share this address: if it is a gateway, add " +
        "it to server.penalties.exempt",
    });
  }
}

/** The form of `max_handshakes`, for messages. */
export const MAX_STARTUPS_FORM =
  'a whole number, or "START:PERCENT:FULL" such as "512:30:1024"';

/**
 * The limit on connections that have not named a service yet. From `start` of
 * them on, a new one is refused at random: with a probability of `percent` at
 * first, which grows to certainty at `full`. So an honest client has a chance
 * while an attacker opens as many connections as it can (as MaxStartups in
 * sshd_config(5)).
 */
export interface MaxStartups {
  readonly start: number;
  readonly percent: number;
  readonly full: number;
}

/** @returns undefined if the text has another form */
export function readMaxStartups(text: string): MaxStartups | undefined {
  const match = /^(\d{1,7})(?::(\d{1,3}):(\d{1,7}))?$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const percent = Number(match[2] ?? 100);
  const full = Number(match[3] ?? start);
  const isSound = start > 0 && percent > 0 && percent <= 100 && full >= start;
  return isSound ? { start, percent, full } : undefined;
}

/** The limit, scaled down so that `full` is at most `room`. */
export function fitted(
  { start, percent, full }: MaxStartups,
  room: number,
): MaxStartups {
  if (full <= room) return { start, percent, full };
  return {
    start: Math.max(1, Math.floor(start * room / full)),
    percent,
    full: room,
  };
}

/**
 * @param count how many connections have not named a service yet
 * @param chance a number from 0 to below 1
 */
export function refusesStartup(
  { start, percent, full }: MaxStartups,
  count: number,
  chance: number,
): boolean {
  if (count < start) return false;
  if (count >= full) return true;
  const risk = percent + (100 - percent) * (count - start) / (full - start);
  return chance * 100 < risk;
}
