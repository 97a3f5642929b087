/**
 * The members of Node that are used though they are not documented. Libraries
 * have long used them; without them a server can neither choose how an accepted
 * socket reads nor hand it on. Each is tested for before it is used; where it
 * is missing, `../net/` does the work.
 */
import type { OnReadOpts, Server, Socket } from "node:net";
import type { Writable } from "node:stream";
import { QuietSocket } from "../net/conn.ts";
import type { Detached } from "../transport.ts";

/** Node's object for a socket of the system. */
export interface Handle {
  readonly fd?: number;
  reading?: boolean;
  readStop?(): number;
  setNoDelay?(on: boolean): void;
  setBlocking?(on: boolean): number;
  readonly writeQueueSize?: number;
}

interface SocketInside {
  _handle?: Handle | null;
  resetAndClosing?: boolean;
}

interface ServerInside {
  readonly _handle?: {
    onconnection?(status: number, handle: Handle | undefined): void;
  } | null;
}

/**
 * Calls `accepted` for each connection, before Node makes a socket of it.
 *
 * @param server one that listens already
 * @returns false, and nothing has changed, where this Node lacks the members
 */
export function onAccept(
  server: Server,
  accepted: (handle: Handle) => void,
): boolean {
  const { _handle: listener } = server as unknown as ServerInside;
  const byNode = listener?.onconnection;
  if (!listener || typeof byNode !== "function") return false;
  listener.onconnection = function (status, handle) {
    if (status === 0 && handle !== undefined) accepted(handle);
    else byNode.call(this, status, handle); // Node reports the error
  };
  return true;
}

/** Makes a socket of an accepted handle, which reads by `onread`. */
export function socketOf(handle: Handle, onread: OnReadOpts): QuietSocket {
  handle.setNoDelay?.(true);
  // deno-lint-ignore no-explicit-any -- `handle` is missing in the types
  const options: any = { handle, allowHalfOpen: true, onread };
  return new QuietSocket(options);
}

/**
 * How many bytes of a socket the system has not taken yet. Where Node does not
 * say it, those of a whole write count until all of it is taken.
 */
export function unsentBytes(socket: Socket): number {
  const { _handle: handle } = socket as unknown as SocketInside;
  return handle?.writeQueueSize ?? socket.writableLength;
}

/** `Conn.detach` of a socket with nothing unread. */
export function detachSocket(socket: Socket): Detached | undefined {
  if (socket.destroyed || socket.writableEnded || socket.writableLength > 0) {
    return undefined;
  }
  const { _handle: handle } = socket as unknown as SocketInside;
  if (handle?.fd === undefined || handle.reading === undefined) return;
  socket.pause();
  if (handle.reading) { // pausing has not stopped a stream that reads ahead
    socket.resume();
    return undefined;
  }
  // Destroying closes the descriptor, and says nothing to the peer.
  return { fd: handle.fd, release: () => socket.destroy() };
}

/**
 * Resets a connection at once. `resetAndDestroy()` first waits for pending
 * writes, for ever if the peer does not read, and leaks its handle when the
 * peer resets meanwhile. The member that it sets is enough, unless the end of
 * our side is just being sent: the system refuses to reset then. Where Node
 * does not know the member, the connection is closed without a reset.
 */
export function resetNow(socket: Socket): void {
  const isTcp = socket.remoteFamily !== undefined;
  const isEnding = socket.writableEnded && !socket.writableFinished &&
    socket.writableLength === 0;
  if (isTcp && !isEnding && !socket.destroyed) {
    (socket as unknown as SocketInside).resetAndClosing = true;
  }
  socket.destroy();
}

/**
 * Returns what makes a standard stream of Node's blocking again, as Node itself
 * does at its end only for descriptors that are open then.
 */
export function blockingAgain(stream: Writable): () => void {
  const { _handle: handle } = stream as unknown as SocketInside;
  return () => void handle?.setBlocking?.(true);
}
