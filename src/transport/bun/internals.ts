/** The members of Bun that are used though they are not documented. */
import type { Peer } from "../../endpoint.ts";
import type { TimerList } from "../../timers.ts";
import { NetConn, type QuietSocket } from "../net/conn.ts";
import type { Conn } from "../transport.ts";
import { BunConn } from "./conn.ts";
import { type BunHandlers, type BunSocket, HANDLERS } from "./socket.ts";

/** Bun's own socket inside a socket of `node:net`. */
interface Adoptable {
  _handle?: BunSocket & { reload?(options: { socket: BunHandlers }): void };
}

/**
 * Makes a connection of a socket of `node:net`: of Bun's own socket inside it,
 * which costs less, or of the socket itself where this Bun lacks the members.
 */
export function adopt(
  socket: QuietSocket,
  ends: Peer,
  timers: TimerList,
): Conn {
  const { _handle: inner } = socket as unknown as Adoptable;
  if (typeof inner?.reload !== "function") {
    return new NetConn(socket, ends, timers);
  }
  const conn = new BunConn(inner, ends, timers);
  inner.data = conn;
  inner.reload({ socket: HANDLERS });
  const early: Uint8Array | null = socket.read();
  // A copy: `giveBack` may free the memory of bytes that have arrived.
  if (early !== null) conn.arrived(new Uint8Array(early));
  return conn;
}
