import type { Log } from "../log.ts";
import type { Refusal } from "./decide.ts";
import { SERVER_FULL } from "./limits.ts";

/** Says once that the server is full, and once that it is no longer. */
export class Crowding {
  #isRoomy: () => boolean;
  #log: Log;
  #refused = 0;

  /** @param isRoomy whether there is room, and some more */
  constructor(isRoomy: () => boolean, log: Log) {
    this.#isRoomy = isRoomy;
    this.#log = log;
  }

  /** @param refusal of a client that has just come */
  look(refusal?: Refusal): void {
    if (refusal !== undefined && SERVER_FULL.includes(refusal)) {
      if (this.#refused++ > 0) return;
      this.#log("warn", "full: new clients are refused", {
        reason: refusal.reason,
      });
    } else if (this.#refused > 0 && this.#isRoomy()) {
      this.#log("info", "there is room again", { refused: this.#refused });
      this.#refused = 0;
    }
  }
}
