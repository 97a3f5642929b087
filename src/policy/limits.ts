import type { Endpoint } from "../endpoint.ts";

/** Refusals that may be on their way at a time, beyond `max_connections`. */
const MAX_REFUSING = 64;

/** What a connection was given on arrival. Given back by `release`. */
export interface Slot {
  /** `serve`: go on. `refuse`: say busy. `drop`: there is no room even so. */
  readonly verdict: "serve" | "refuse" | "drop";
  release(): void;
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
      return slot("serve", () => this.#serving--);
    }
    if (this.#refusing < MAX_REFUSING) {
      this.#refusing++;
      return slot("refuse", () => this.#refusing--);
    }
    return slot("drop", () => {});
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

function slot(verdict: Slot["verdict"], release: () => void): Slot {
  return { verdict, release };
}

/** Whose connection it is: all peers of a Unix socket are one source. */
export function sourceOf(remote: Endpoint): string {
  return remote.transport === "tcp" ? remote.host : "unix";
}
