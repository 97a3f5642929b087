import { setImmediate as nextTurn } from "node:timers/promises";
import { isDisconnect, TcpmuxError } from "./errors.ts";
import {
  type Counters,
  MissedDeadline,
  type RelayLimits,
  type RelayOptions,
  Stalls,
  TAKE_TIME,
} from "./relay_options.ts";
import type { Timer, TimerList } from "./timers.ts";
import type { Conn, Pump } from "./transport/transport.ts";

/** Milliseconds between two checks that a side which is not read is there. */
const ALIVE_PERIOD = 15_000;

/** How one direction has ended: an error where its sink takes no more. */
type DirectionEnd = undefined | "ended" | Error;

/**
 * Carries bytes between a client and a service until both directions have ended.
 * The end of one direction is passed on as a half-close, and the other goes
 * on. Where one side can be written to no more, what the other one sends is
 * read and dropped, so that it is not stuck, until that other direction has
 * come to its own end: what was sent before is still delivered.
 *
 * A reset of either side is passed on to the other.
 *
 * Most of a server's connections are in one of these, and wait. So it is one
 * object for both directions, without functions and promises of its own.
 */
export class Relay implements Pump {
  readonly #client: Conn;
  readonly #service: Conn;
  readonly #counters: Counters;
  readonly #limits: RelayLimits;
  readonly #timers: TimerList;
  #settle: ((result: void | Promise<never>) => void) | undefined = undefined;
  /** Up is from the client to the service, down from the service to the client. */
  #up: DirectionEnd = undefined;
  #down: DirectionEnd = undefined;
  /** Whether bytes are being written though there is no pipe. */
  #isWritingUp = false;
  #isWritingDown = false;
  /** Whether the client was held back since the timer was armed. */
  #isHolding = false;
  #inputIsOver = false;
  #timer: Timer | undefined = undefined;
  /** Only with a stall time-out. */
  #stalls: Stalls | undefined;

  constructor(options: RelayOptions) {
    this.#client = options.client;
    this.#service = options.service;
    this.#counters = options.counters;
    this.#limits = options.limits;
    this.#timers = options.timers;
    if (options.limits.stallTimeout > 0) this.#stalls = new Stalls();
  }

  /**
   * Called once. When the promise settles, the service has been closed; the client
   * is the caller's to close.
   *
   * @param early bytes that were read from the client already, which the service
   * gets first
   * @param inputOver resolves when the service takes no input any more: the relay
   * then ends with the service's output, and does not wait for the client's end
   * @throws {TcpmuxError} when a side was reset or the client is gone
   * @throws {MissedDeadline} when one of its limits was reached
   */
  run(early: Uint8Array, inputOver?: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#counters.lastMoved = performance.now();
      this.#watch();
      inputOver?.then(() => {
        this.#inputIsOver = true;
        this.#finishIfDone();
      });
      if (early.length > 0) this.#sendEarly(early);
      else this.#carry(this.#client, this.#service);
      this.#carry(this.#service, this.#client);
    });
  }

  async #sendEarly(early: Uint8Array): Promise<void> {
    const isWritten = await this.#write(this.#client, this.#service, early);
    if (isWritten) this.#carry(this.#client, this.#service);
  }

  #carry(source: Conn, sink: Conn): void {
    if (this.#settle === undefined) return;
    if (source.pipeTo?.(sink, this) !== true) this.#copy(source, sink);
  }

  /** What `pipeTo` does, for connections that have no shorter way. */
  async #copy(source: Conn, sink: Conn): Promise<void> {
    while (this.#settle !== undefined) {
      let bytes: Uint8Array | null;
      try {
        bytes = await source.read();
      } catch (error) {
        return this.over(source, error as Error);
      }
      if (bytes === null) return this.over(source, null);
      if (!await this.#write(source, sink, bytes)) return;
    }
  }

  /** @returns whether the sink has taken them */
  async #write(source: Conn, sink: Conn, bytes: Uint8Array): Promise<boolean> {
    this.#setWriting(source, true);
    this.held(source);
    try {
      await sink.write(bytes);
    } catch (error) {
      this.sinkBroken(source, error as Error);
      return false;
    } finally {
      this.#setWriting(source, false);
    }
    this.moved(source, bytes.length);
    return true;
  }

  #setWriting(source: Conn, isWriting: boolean): void {
    if (source === this.#client) this.#isWritingUp = isWriting;
    else this.#isWritingDown = isWriting;
  }

  held(source: Conn): void {
    if (source !== this.#client || this.#isHolding) return;
    if (this.#settle === undefined) return;
    this.#isHolding = true;
    this.#watch();
  }

  /** Whether bytes of that side wait for the other one. */
  #isHeld(side: Conn): boolean {
    const isWriting = side === this.#client
      ? this.#isWritingUp
      : this.#isWritingDown;
    return isWriting || side.waiting;
  }

  moved(source: Conn, count: number): void {
    const counters = this.#counters;
    if (source === this.#client) counters.bytesIn += count;
    else counters.bytesOut += count;
    counters.lastMoved = performance.now();
  }

  over(source: Conn, end: null | Error): void {
    if (this.#settle === undefined) return;
    if (end !== null) return this.#fail(end);
    const isUp = source === this.#client;
    // Where down has ended, closing the service replaces the half-close.
    if (isUp && this.#down === "ended") return this.#ended(source, "ended");
    const sink = isUp ? this.#service : this.#client;
    sink.closeWrite().then(
      () => this.#ended(source, "ended"),
      (error) => this.#ended(source, error),
    );
  }

  sinkBroken(source: Conn, error: Error): void {
    if (this.#settle === undefined) return;
    this.#dropRest(source);
    this.#ended(source, error);
  }

  async #dropRest(source: Conn): Promise<void> {
    try {
      // A source in memory, which never waits, must not keep others waiting.
      while (this.#settle !== undefined && await source.read() !== null) {
        await nextTurn();
      }
    } catch {
      // The source broke, or the relay is over: the rest is lost either way.
    }
  }

  #ended(source: Conn, end: "ended" | Error): void {
    if (this.#settle === undefined) return;
    if (source === this.#client) this.#up = end;
    else this.#down = end;
    this.#counters.lastMoved = performance.now(); // an end is a sign of life
    this.#finishIfDone();
    if (this.#settle !== undefined) this.#watch();
  }

  #finishIfDone(): void {
    const up = this.#up;
    const down = this.#down;
    if (this.#settle === undefined || down === undefined) return;
    if (down !== "ended") {
      // What the client sent before it went is still the service's.
      if (up === undefined) return;
      this.#finish(Promise.reject(down));
      this.#client.abort();
      return this.#service.close();
    }
    if (up === undefined && !this.#inputIsOver) return;
    if (up instanceof Error && !isDisconnect(up)) return this.#fail(up);
    this.#finish();
    if (up === "ended") return this.#service.close();
    // Nobody takes any more what a program that has ended was to be given.
    if (this.#client.waiting) this.#service.abort();
    else this.#service.close();
    this.#client.interrupt(OVER);
  }

  #fail(error: Error): void {
    if (this.#settle === undefined) return;
    this.#finish(Promise.reject(error));
    this.#client.abort();
    this.#service.abort();
  }

  /** Called before a side is closed: its pipe reports an end, to be ignored. */
  #finish(result: void | Promise<never> = undefined): void {
    const settle = this.#settle!;
    this.#settle = undefined;
    this.#timer?.cancel();
    settle(result);
  }

  /** Arms the timer for whichever deadline is next. */
  #watch(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { idleTimeout, halfClosedTimeout, stallTimeout } = this.#limits;
    const isHalfClosed = this.#up !== undefined || this.#down !== undefined;
    const quiet = Math.min(
      idleTimeout || Infinity,
      isHalfClosed && halfClosedTimeout || Infinity,
    );
    let next = Math.min(
      stallTimeout / 4 || Infinity,
      isHalfClosed || this.#isHolding ? ALIVE_PERIOD : Infinity,
      this.#down instanceof Error ? TAKE_TIME : Infinity,
    );
    if (quiet < Infinity) {
      const left = quiet - (performance.now() - this.#counters.lastMoved);
      const grain = quiet / 16; // rounded up, so that relays share timers
      next = Math.min(next, Math.max(1, Math.ceil(left / grain)) * grain);
    }
    if (next < Infinity) this.#timer = this.#timers.after(next, this);
  }

  expired(): void {
    this.#timer = undefined;
    this.#client.countTaken?.();
    this.#service.countTaken?.();
    const { idleTimeout, halfClosedTimeout, stallTimeout } = this.#limits;
    const quiet = performance.now() - this.#counters.lastMoved;
    if (idleTimeout > 0 && quiet >= idleTimeout) {
      return this.#miss("idle_timeout");
    }
    if (this.#up !== undefined || this.#down !== undefined) {
      if (halfClosedTimeout > 0 && quiet >= halfClosedTimeout) {
        return this.#miss("half_closed_timeout");
      }
      if (this.#down instanceof Error && quiet >= TAKE_TIME) {
        return this.#fail(this.#down);
      }
    }
    const holdsUp = this.#isHeld(this.#client);
    const holdsDown = this.#isHeld(this.#service);
    this.#isHolding = holdsUp;
    if (this.#up !== undefined || holdsUp) this.#ask(this.#client);
    // A service may be gone, and what it has said is still the client's.
    if (this.#down !== undefined) this.#ask(this.#service);
    const stalled = this.#stalls?.longest(holdsUp, holdsDown, this.#counters);
    if (stalled !== undefined && stalled >= stallTimeout) {
      return this.#miss("stall_timeout");
    }
    this.#watch();
  }

  /** A side that is not read from may have been reset since. */
  async #ask(side: Conn): Promise<void> {
    if (await side.isAlive()) return;
    this.#fail(
      new TcpmuxError(
        "connection_reset",
        "the connection was reset while nothing was read from it",
      ),
    );
  }

  #miss(key: MissedDeadline["key"]): void {
    this.#fail(new MissedDeadline(key));
  }
}

/** Interrupts the read of `#dropRest` when the relay is over. */
const OVER = new TcpmuxError("closed", "the relay is over");
