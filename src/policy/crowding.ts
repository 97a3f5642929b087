import { Episode } from "../episode.ts";
import type { Log } from "../log.ts";
import type { Refusal } from "./decide.ts";
import { SERVER_FULL } from "./limits.ts";

/** Says once that the server is full, and once that it is no longer. */
export class Crowding {
  #episode: Episode;

  /** @param isRoomy whether there is room, and some more */
  constructor(isRoomy: () => boolean, log: Log) {
    this.#episode = new Episode({
      began: (reason) =>
        log("warn", "full: new clients are refused", { reason }),
      over: (refused) => log("info", "there is room again", { refused }),
      mayEnd: isRoomy,
    });
  }

  /** @param refusal of a client that has just come */
  look(refusal: Refusal | undefined): void {
    if (refusal === undefined || !SERVER_FULL.includes(refusal)) return;
    this.#episode.happened(refusal.reason);
  }

  /** The server stops. */
  end(): void {
    this.#episode.cancel();
  }
}
