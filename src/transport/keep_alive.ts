import { after, type Timeout, type Waiting } from "../timers.ts";

/** Milliseconds of silence before TCP asks whether the peer still lives. */
const DELAY = 60_000;

/** Milliseconds of a connection's life before that is switched on. */
const BEGIN = 5_000;

/** The one member of a socket that is needed, on Bun and on Node. */
interface Socket {
  setKeepAlive(on: boolean, delay: number): unknown;
}

/**
 * Waits until a connection has lived for a moment: to switch on TCP
 * keep-alive takes calls of the system, and most are gone by then.
 */
export function worthKeepingAlive(conn: Waiting): Timeout {
  return after(BEGIN, conn);
}

/** Switches it on. */
export function keepAlive(socket: Socket): void {
  socket.setKeepAlive(true, DELAY);
}
