import { DONE } from "./transport/done.ts";
import type { Carriage, Conn, Meter } from "./transport/transport.ts";

/** The two that a direction lies between, and what is to be told of it. */
export interface Sides {
  readonly client: Conn;
  readonly peer: Conn;
  /** Whether a direction that has ended is the last, to the peer. */
  closesNow(direction: Direction): boolean;
  /** A direction has ended. */
  look(): void;
  fail(error: unknown): void;
}

/** How one direction of a relay ended. */
export type End =
  | { readonly how: "ended" }
  | { readonly how: "sink broken"; readonly error: unknown };

export const ENDED: End = { how: "ended" };

/**
 * One direction of a relay: by the runtime's own way as soon as there is one,
 * step by step until then.
 */
export class Direction implements Carriage {
  source: Meter | undefined;
  end: End | undefined;
  /** How often something has been taken. */
  count = 0;
  #sides: Sides;
  #isUp: boolean;
  #sink: Meter | undefined;

  constructor(sides: Sides, isUp: boolean) {
    this.#sides = sides;
    this.#isUp = isUp;
  }

  get #from(): Conn {
    return this.#isUp ? this.#sides.client : this.#sides.peer;
  }

  get #to(): Conn {
    return this.#isUp ? this.#sides.peer : this.#sides.client;
  }

  start(): void {
    if (!this.#carry()) this.#step();
  }

  /** @returns whether the runtime does it from here on */
  #carry(): boolean {
    if (this.#from.carryTo === undefined) return false;
    const intake = this.#to.intake?.();
    this.#sink = intake?.meter;
    return this.#from.carryTo(intake?.conn ?? this.#to, this);
  }

  async #step(): Promise<void> {
    try {
      do {
        const bytes = await this.#from.read();
        if (bytes === null) return this.ended();
        try {
          await this.#to.write(bytes);
          this.count++;
        } catch (error) {
          return this.sinkBroken(error);
        }
      } while (!this.#carry());
    } catch (error) {
      this.failed(error);
    }
  }

  moved(count: number): void {
    this.count++;
    this.source?.received(count);
    this.#sink?.sent(count);
  }

  /** The end of one direction is a half-close, or a close if it is the last. */
  ended(): void {
    this.source?.carried(true);
    const ending = this.#sides.closesNow(this) ? DONE : this.#to.closeWrite();
    if (ending === DONE) this.#finish(ENDED);
    else this.#await(ending);
  }

  async #await(ending: Promise<void>): Promise<void> {
    try {
      await ending;
    } catch (error) {
      return this.#finish({ how: "sink broken", error });
    }
    this.#finish(ENDED);
  }

  sinkBroken(error: unknown): void {
    this.source?.carried(false);
    this.#sink?.broken?.(error);
    drop(this.#from);
    this.#finish({ how: "sink broken", error });
  }

  failed(error: unknown): void {
    this.source?.carried(false);
    this.#sides.fail(error);
  }

  #finish(end: End): void {
    this.end = end;
    this.#sides.look();
  }
}

/** Reads on for nobody, until the end or until the connection is let go. */
function drop(from: Conn): void {
  const next = async () => {
    while (await from.read() !== null);
  };
  next().catch(() => {}); // it broke or was closed: either way it is over
}
