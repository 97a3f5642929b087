import { Direction, ENDED, type Sides } from "./direction.ts";
import { isDisconnect, TcpmuxError } from "./errors.ts";
import { after, type Timeout } from "./timers.ts";
import type { Cancel } from "./transport/cancel.ts";
import type { Conn } from "./transport/transport.ts";

/**
 * Carries bytes between a client and a peer until both directions are done.
 * The end of one direction is passed on as a half-close, and the other goes
 * on. Where one side can be written to no more, what the other one sends is
 * read and dropped, so that it is not stuck, until that other direction has
 * come to its own end: what was sent before is still delivered.
 *
 * A reset of either side is passed on to the other. The peer is let go when it
 * is over; the client is the caller's to close.
 *
 * @param ending ends it at once: both sides are let go
 * @param peerGone resolves when the peer will take nothing more, so that
 * what the client still sends concerns nobody
 * @throws {TcpmuxError} when a side was reset, or the client is gone
 */
export function relay(
  client: Conn,
  peer: Conn,
  ending: Cancel,
  peerGone?: Promise<void>,
): Promise<void> {
  let end: (() => void) | undefined;
  return new Promise<void>((resolve, reject) => {
    const relay = new Relay(client, peer, { over: resolve, broke: reject });
    end = () => relay.end();
    if (ending.aborted) return end();
    ending.addEventListener("abort", end, { once: true });
    relay.start();
    peerGone?.then(() => relay.peerGone());
  }).finally(() => ending.removeEventListener("abort", end!));
}

/** Who is told once when a {@linkcode Relay} is over. */
export interface Told {
  over(): void;
  broke(error: unknown): void;
}

/**
 * Milliseconds within which a peer must take some of what is left of a client
 * that is gone.
 */
const TAKE_TIME = 5_000;

/**
 * Both directions, and what has become of them so far: as `relay`, but without
 * a promise, since most of a server's connections are in one and wait. It and
 * what it is made of are kept small for that: see bench/NOTES.md.
 */
export class Relay implements Sides {
  readonly client: Conn;
  readonly peer: Conn;
  /** Until it is over. */
  #told: Told | undefined;
  #up: Direction;
  #down: Direction;
  #peerIsGone = false;
  #taking: Timeout | undefined;
  /** How often the peer had taken something when waiting for it began. */
  #taken = 0;

  constructor(client: Conn, peer: Conn, told: Told) {
    this.client = client;
    this.peer = peer;
    this.#told = told;
    this.#up = new Direction(this, true);
    this.#down = new Direction(this, false);
  }

  /** To be called once. */
  start(): void {
    this.#up.start();
    this.#down.start();
  }

  /** The peer will take nothing more. */
  peerGone(): void {
    this.#peerIsGone = true;
    this.look();
  }

  closesNow(direction: Direction): boolean {
    return direction === this.#up && this.#down.end === ENDED;
  }

  /** Ends it, if that was all. */
  look(): void {
    const up = this.#up.end;
    const down = this.#down.end;
    if (this.#told === undefined || down === undefined) return;
    if (down.how === "sink broken") {
      // What the client sent before it went is still the peer's.
      if (up === undefined) return this.#await();
      const told = this.#finish();
      this.client.abort();
      this.peer.close();
      return told?.broke(down.error);
    }
    if (up === undefined && !this.#peerIsGone) return;
    if (up?.how === "sink broken" && !isDisconnect(up.error)) {
      return this.fail(up.error);
    }
    const told = this.#finish();
    this.peer.close();
    told?.over();
  }

  /** Gives the peer a time to take some of what the client has left. */
  #await(): void {
    if (this.#taking !== undefined) return;
    this.#taken = this.#up.count;
    this.#taking = after(TAKE_TIME, this);
  }

  /** That time is over. */
  expired(): void {
    this.#taking = undefined;
    const { end } = this.#down;
    if (end?.how === "sink broken" && this.#up.count === this.#taken) {
      this.fail(end.error);
    } else this.look();
  }

  fail(error: unknown): void {
    const told = this.#finish();
    if (told === undefined) return;
    this.client.abort();
    this.peer.abort();
    told.broke(error);
  }

  /** Ends it at once. */
  end(): void {
    this.fail(new TcpmuxError("closed", "ended by the server"));
  }

  #finish(): Told | undefined {
    const told = this.#told;
    this.#told = undefined;
    this.#taking?.cancel();
    return told;
  }
}
