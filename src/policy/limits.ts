import type { Endpoint } from "../endpoint.ts";

/** Refusals that may be on their way at a time, beyond `max_connections`. */
const MAX_REFUSING = 64;

type Verdict = "serve" | "refuse" | "drop";

/** What a connection was given on arrival. */
export class Slot {
  /** `serve`: go on. `refuse`: say busy. `drop`: there is no room even so. */
  readonly verdict: Verdict;
  #limits: Limits;

  constructor(verdict: Verdict, limits: Limits) {
    this.verdict = verdict;
    this.#limits = limits;
  }

  /** Gives it back, once. */
  release(): void {
    this.#limits.giveBack(this.verdict);
  }
}

/** Counts what is live now. All it holds is bounded by what is live. */
export class Limits {
  #serving = 0;
  #refusing = 0;
  #bySource = new Map<string, number>();

  get live(): number {
    return this.#serving;
  }

  /** Never waits: there is a slot or there is none. */
  take(maxConnections: number): Slot {
    if (this.#serving < maxConnections) {
      this.#serving++;
      return new Slot("serve", this);
    }
    if (this.#refusing < MAX_REFUSING) {
      this.#refusing++;
      return new Slot("refuse", this);
    }
    return new Slot("drop", this);
  }

  giveBack(verdict: Verdict): void {
    if (verdict === "serve") this.#serving--;
    else if (verdict === "refuse") this.#refusing--;
  }

  /** Counts a connection of this source; returns how many there are now. */
  enter(source: string): number {
    const count = (this.#bySource.get(source) ?? 0) + 1;
    this.#bySource.set(source, count);
    return count;
  }

  leave(source: string): void {
    const count = (this.#bySource.get(source) ?? 0) - 1;
    if (count > 0) this.#bySource.set(source, count);
    else this.#bySource.delete(source);
  }
}

/** Whose connection it is: all peers of a Unix socket are one source. */
export function sourceOf(remote: Endpoint): string {
  return remote.transport === "tcp" ? remote.host : "unix";
}
