import { Episode, type Log } from "../log.ts";
import { SERVER_FULL } from "./limits.ts";
import type { Refusal } from "./refusal.ts";

/** Logs once that the server is full, and once that there is room again. */
export class FullnessLog {
  #episode: Episode;

  /** @param isRoomy whether there is room for more than one or two clients */
  constructor(isRoomy: () => boolean, log: Log) {
    this.#episode = new Episode({
      began: (reason) =>
        log("warn", "full: new clients are refused", { reason }),
      over: (refused) => log("info", "there is room again", { refused }),
      mayEnd: isRoomy,
    });
  }

  /** Counts the refusal of a new client, if the server refuses it as full. */
  note(refusal: Refusal): void {
    if (!SERVER_FULL.includes(refusal)) return;
    this.#episode.happened(refusal.reason);
  }

  /** The server stops: nothing is logged any more. */
  stop(): void {
    this.#episode.cancel();
  }
}
