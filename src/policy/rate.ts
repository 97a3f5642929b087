/** The form of a rate, for messages. */
export const RATE_FORM =
  'a rate such as "50/s", "100/m" or "1000/h", or "50/s burst 200"';

const PERIODS = { s: 1000, m: 60_000, h: 3_600_000 };

/** How often an event may happen: on average, and at once. */
export interface Rate {
  readonly perMillisecond: number;
  /** How many events may happen at once. */
  readonly burst: number;
}

/** @returns undefined if the text has another form */
export function readRate(text: string): Rate | undefined {
  const match = /^(\d{1,7})\/([smh])(?: burst (\d{1,7}))?$/.exec(text);
  if (match === null) return undefined;
  const count = Number(match[1]);
  const burst = match[3] === undefined ? count : Number(match[3]);
  if (count === 0 || burst === 0) return undefined;
  const period = PERIODS[match[2] as keyof typeof PERIODS];
  return { perMillisecond: count / period, burst };
}

/** A token bucket: tokens come in at the rate, and each event takes one out. */
export class Bucket {
  /** The rate that the last event was judged by. */
  #rate: Rate;
  #tokens: number;
  #at: number;
  #closedUntil = -Infinity;

  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#at = now;
  }

  /**
   * @param now milliseconds, never less than before
   * @param pause milliseconds for which the bucket gives no token after an
   * event that found none; 0 for no such pause
   * @returns whether there was a token to take
   */
  take(rate: Rate, now: number, pause = 0): boolean {
    if (now < this.#closedUntil) return false;
    this.#rate = rate; // a reload may have changed it
    this.#fill(now);
    if (this.#tokens < 1) {
      this.#closedUntil = now + pause;
      return false;
    }
    this.#tokens--;
    return true;
  }

  /** Whether it is in the state of a new bucket. */
  isFull(now: number): boolean {
    this.#fill(now);
    return this.#tokens >= this.#rate.burst && now >= this.#closedUntil;
  }

  #fill(now: number): void {
    const { perMillisecond, burst } = this.#rate;
    const gained = (now - this.#at) * perMillisecond;
    this.#tokens = Math.min(this.#tokens + gained, burst);
    this.#at = now;
  }
}

/** Buckets that are kept; a new one replaces the least recently used one. */
const MAX_BUCKETS = 65_536;

/** A bucket for each key. */
export class Buckets {
  #buckets: BoundedMap<Bucket>;

  constructor(most = MAX_BUCKETS) {
    this.#buckets = new BoundedMap(most);
  }

  get size(): number {
    return this.#buckets.size;
  }

  take(key: string, rate: Rate, now: number, pause = 0): boolean {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      this.#buckets.prune((oldest) => oldest.isFull(now));
      bucket = new Bucket(rate, now);
      this.#buckets.set(key, bucket);
    }
    return bucket.take(rate, now, pause);
  }
}

/** A map of limited size: a new entry replaces the least recently used one. */
export class BoundedMap<V> {
  #most: number;
  #entries = new Map<string, V>();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.#most) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    this.#entries.set(key, value);
  }

  /** Removes entries, the least recently used first, up to one that is not over. */
  prune(isOver: (value: V) => boolean): void {
    for (const [key, value] of this.#entries) {
      if (!isOver(value)) return;
      this.#entries.delete(key);
    }
  }
}
