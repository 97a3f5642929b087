import { after, type Timeout } from "../timeouts.ts";

/** Milliseconds of silence before TCP asks whether the peer still lives. */
const DELAY = 60_000;

/** Milliseconds of a connection's life before that is switched on. */
const BEGIN = 5_000;

/** The one member of a socket that is needed, on Bun and on Node. */
interface Socket {
  setKeepAlive(on: boolean, delay: number): unknown;
}

/**
 * Switches on TCP keep-alive once a connection has lived for a moment: that
 * takes four calls of the system, and most connections are gone by then.
 */
export class KeepAlive {
  #socket: Socket;
  #due: Timeout | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#due = after(BEGIN, this);
  }

  expired(): void {
    this.now();
  }

  /** Switches it on, if it is not on yet. */
  now(): void {
    if (this.#due === undefined) return;
    this.cancel();
    this.#socket.setKeepAlive(true, DELAY);
  }

  /** The connection is over. */
  cancel(): void {
    this.#due?.cancel();
    this.#due = undefined;
  }
}
