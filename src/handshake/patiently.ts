import type { ClientConn } from "../client_conn.ts";
import { type Refusal, REFUSALS } from "../policy/decide.ts";
import { Settling } from "../settling.ts";
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
  return new PatientReader(client, patience, slow, take).start();
}

type Take<T> = (
  bytes: Uint8Array | null,
) => T | undefined | Promise<T | undefined>;

/** It ends by itself when the time is over or the server stops. */
class PatientReader<T> extends Settling<T | Refusal> implements Reader {
  #client: ClientConn;
  #patience: Patience;
  #slow: Refusal;
  #take: Take<T>;

  constructor(
    client: ClientConn,
    patience: Patience,
    slow: Refusal,
    take: Take<T>,
  ) {
    super();
    this.#client = client;
    this.#patience = patience;
    this.#slow = slow;
    this.#take = take;
  }

  protected override begin(): void {
    const { timeout, draining } = this.#patience;
    if (draining.aborted) return this.handleEvent();
    this.heed(draining);
    this.limit(timeout);
    this.#client.readTo(this);
  }

  took(bytes: Uint8Array | null): void {
    if (this.isOver) return;
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
    if (this.isOver) return;
    if (made === undefined) this.#client.readTo(this);
    else this.resolve(made);
  }

  failed(error: unknown): void {
    this.reject(error);
  }

  override expired(): void {
    this.resolve(this.#slow);
  }

  override handleEvent(): void {
    this.resolve(REFUSALS.draining);
  }
}
