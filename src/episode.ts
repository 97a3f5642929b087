import { setTimeout } from "node:timers";

/** Milliseconds without another, after which it is over. */
const QUIET = 1000;

export interface EpisodeOptions {
  /** Told of the first time only. */
  readonly began: (reason: string) => void;
  /** @param times how often it happened in all */
  readonly over: (times: number) => void;
  /** Whether it may be over now; by default it may. */
  readonly mayEnd?: () => boolean;
}

/**
 * What happens many times in a row, and is worth a word when it begins and
 * when it is over.
 */
export class Episode {
  #options: EpisodeOptions;
  #times = 0;
  #last = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: EpisodeOptions) {
    this.#options = options;
  }

  /** It happened, perhaps not for the first time. */
  happened(reason: string): void {
    this.#last = performance.now();
    if (this.#times++ > 0) return;
    this.#options.began(reason);
    this.#wait();
  }

  /** Nobody is told any more. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#times = 0;
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.#look(), QUIET);
    this.#timer.unref(); // not a reason to go on living
  }

  #look(): void {
    const isQuiet = performance.now() - this.#last >= QUIET;
    if (!isQuiet || this.#options.mayEnd?.() === false) return this.#wait();
    const times = this.#times;
    this.#times = 0;
    this.#options.over(times);
  }
}
