import { isDisconnect, TcpmuxError } from "./errors.ts";
import { Settling } from "./settling.ts";
import type { Cancel } from "./transport/cancel.ts";
import { DONE } from "./transport/done.ts";
import type { Carriage, Conn, Meter } from "./transport/transport.ts";

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
  return new Relay(client, peer, ending, peerGone).start();
}

/**
 * Milliseconds within which a peer must take some of what is left of a client
 * that is gone.
 */
const TAKE_TIME = 5_000;

/** Both directions, and what has become of them so far. */
class Relay extends Settling<void> {
  #client: Conn;
  #peer: Conn;
  #ending: Cancel;
  #peerGone: Promise<void> | undefined;
  #up: Direction;
  #down: Direction;
  #peerIsGone = false;
  /** How much had been taken when waiting for the peer began. */
  #taken: number | undefined;

  constructor(
    client: Conn,
    peer: Conn,
    ending: Cancel,
    peerGone: Promise<void> | undefined,
  ) {
    super();
    this.#client = client;
    this.#peer = peer;
    this.#ending = ending;
    this.#peerGone = peerGone;
    this.#up = new Direction(this, client, peer);
    this.#down = new Direction(this, peer, client);
  }

  protected override begin(): void {
    if (this.#ending.aborted) return this.handleEvent();
    this.heed(this.#ending);
    this.#up.start();
    this.#down.start();
    if (this.#peerGone !== undefined) this.#follow(this.#peerGone);
  }

  async #follow(peerGone: Promise<void>): Promise<void> {
    await peerGone;
    this.#peerIsGone = true;
    this.look();
  }

  /** Whether a direction that has ended is the last, to the peer. */
  closesNow(direction: Direction): boolean {
    return direction === this.#up && this.#down.end === ENDED;
  }

  /** Whether that was all. */
  look(): void {
    const up = this.#up.end;
    const down = this.#down.end;
    if (this.isOver || down === undefined) return;
    if (down.how === "sink broken") {
      // What the client sent before it went is still the peer's.
      if (up === undefined) return this.#await();
      this.reject(down.error);
      this.#client.abort();
      this.#peer.close();
      return;
    }
    if (up === undefined && !this.#peerIsGone) return;
    if (up?.how === "sink broken" && !isDisconnect(up.error)) {
      return this.fail(up.error);
    }
    this.resolve();
    this.#peer.close();
  }

  /** Gives the peer a time to take some of what the client has left. */
  #await(): void {
    if (this.#taken !== undefined) return;
    this.#taken = this.#up.count;
    this.limit(TAKE_TIME);
  }

  override expired(): void {
    const { end } = this.#down;
    if (end?.how === "sink broken" && this.#up.count === this.#taken) {
      return this.fail(end.error);
    }
    this.#taken = undefined;
    this.look();
  }

  fail(error: unknown): void {
    if (!this.reject(error)) return;
    this.#client.abort();
    this.#peer.abort();
  }

  override handleEvent(): void {
    this.fail(new TcpmuxError("closed", "ended by the server"));
  }
}

/** How one direction of a relay ended. */
type End =
  | { readonly how: "ended" }
  | { readonly how: "sink broken"; readonly error: unknown };

const ENDED: End = { how: "ended" };

/**
 * One direction of a relay: by the runtime's own way as soon as there is one,
 * step by step until then.
 */
class Direction implements Carriage {
  source: Meter | undefined;
  end: End | undefined;
  /** How often something has been taken. */
  count = 0;
  #relay: Relay;
  #from: Conn;
  #to: Conn;
  #sink: Meter | undefined;

  constructor(relay: Relay, from: Conn, to: Conn) {
    this.#relay = relay;
    this.#from = from;
    this.#to = to;
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
    const ending = this.#relay.closesNow(this) ? DONE : this.#to.closeWrite();
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
    this.#relay.fail(error);
  }

  #finish(end: End): void {
    this.end = end;
    this.#relay.look();
  }
}

/** Reads on for nobody, until the end or until the connection is let go. */
function drop(from: Conn): void {
  const next = async () => {
    while (await from.read() !== null);
  };
  next().catch(() => {}); // it broke or was closed: either way it is over
}
