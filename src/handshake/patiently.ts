import type { ClientConn } from "../client_conn.ts";
import { type Refusal, REFUSALS } from "../policy/decide.ts";
import { after, type Timeout } from "../timeouts.ts";
import type { Cancel } from "../transport/cancel.ts";
import type { Reader } from "../transport/reader.ts";
import type { Patience } from "./handshake.ts";

/**
 * Reads until `take` has made something of it.
 *
 * @param take gets the next bytes, or null at their end; what it gives ends
 * the reading, undefined asks for more
 * @param slow what the client gets when the time is over
 */
export function readPatiently<T>(
  client: ClientConn,
  patience: Patience,
  slow: Refusal,
  take: Take<T>,
): Promise<T | Refusal> {
  return new Promise((resolve, reject) => {
    new PatientReader(client, take, slow, resolve, reject).start(patience);
  });
}

type Take<T> = (
  bytes: Uint8Array | null,
) => T | undefined | Promise<T | undefined>;

/** It ends by itself when the time is over or the server stops. */
class PatientReader<T> implements Reader {
  #client: ClientConn;
  #take: Take<T>;
  #slow: Refusal;
  #resolve: (made: T | Refusal) => void;
  #reject: (error: unknown) => void;
  #draining: Cancel | undefined;
  #timeout: Timeout | undefined;
  #over = false;

  constructor(
    client: ClientConn,
    take: Take<T>,
    slow: Refusal,
    resolve: (made: T | Refusal) => void,
    reject: (error: unknown) => void,
  ) {
    this.#client = client;
    this.#take = take;
    this.#slow = slow;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start({ timeout, draining }: Patience): void {
    if (draining.aborted) return this.handleEvent();
    this.#draining = draining;
    draining.addEventListener("abort", this, { once: true });
    if (timeout > 0) this.#timeout = after(timeout, this);
    this.#client.readTo(this);
  }

  took(bytes: Uint8Array | null): void {
    if (this.#over) return;
    try {
      const made = this.#take(bytes);
      if (made instanceof Promise) this.#await(made);
      else this.#look(made);
    } catch (error) {
      this.failed(error);
    }
  }

  async #await(making: Promise<T | undefined>): Promise<void> {
    try {
      this.#look(await making);
    } catch (error) {
      this.failed(error);
    }
  }

  #look(made: T | undefined): void {
    if (this.#over) return;
    if (made === undefined) this.#client.readTo(this);
    else this.#end(made);
  }

  failed(error: unknown): void {
    this.#finish();
    this.#reject(error);
  }

  expired(): void {
    this.#end(this.#slow);
  }

  handleEvent(): void {
    this.#end(REFUSALS.draining);
  }

  #end(made: T | Refusal): void {
    this.#finish();
    this.#resolve(made);
  }

  #finish(): void {
    this.#over = true;
    this.#timeout?.cancel();
    this.#draining?.removeEventListener("abort", this);
  }
}
