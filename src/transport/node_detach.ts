import type { Socket } from "node:net";
import type { Detached } from "./transport.ts";

/** What Node keeps inside a socket; not documented. */
interface Inside {
  readonly _handle?: {
    readonly fd?: number;
    readonly reading?: boolean;
  } | null;
}

/** `Conn.detach` of a socket of Node's with nothing unread. */
export function detachSocket(socket: Socket): Detached | undefined {
  if (socket.destroyed || socket.writableEnded || socket.writableLength > 0) {
    return undefined;
  }
  const { _handle: handle } = socket as unknown as Inside;
  // Bun's `node:net` does not tell, nor does it stop at once.
  if (handle?.fd === undefined || handle.reading === undefined) return;
  socket.pause();
  if (handle.reading) { // as a stream that reads ahead for itself does
    socket.resume();
    return undefined;
  }
  // Destroying closes the descriptor, and says nothing to the peer.
  return { fd: handle.fd, release: () => socket.destroy() };
}
