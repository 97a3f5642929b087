import type { Server, Socket } from "node:net";
import type { NodeReads } from "./node_reads.ts";
import { QuietSocket } from "./quiet_socket.ts";

/**
 * What Node keeps inside a socket. It is not documented, but libraries have
 * used it for as long as Node has been there, and without it a server can
 * neither choose how an accepted socket reads nor hand it on.
 */
export interface Handle {
  setNoDelay?(on: boolean): void;
}

interface SocketInside {
  _handle: (Handle & { reading?: boolean; readStop(): number }) | null;
}

interface ServerInside {
  _handle: { onconnection(status: number, handle: Handle | undefined): void };
}

/** Calls for each connection before Node makes a socket of its own of it. */
export function onAccept(
  server: Server,
  accepted: (handle: Handle) => void,
): void {
  const { _handle: listener } = server as unknown as ServerInside;
  const byNode = listener.onconnection;
  listener.onconnection = function (status, handle) {
    if (status === 0 && handle !== undefined) accepted(handle);
    else byNode.call(this, status, handle); // it makes an error of it
  };
}

/** Takes out of a socket what has not read anything yet; the rest is a husk. */
export function takeHandle(socket: Socket): Handle {
  const inside = socket as unknown as SocketInside;
  const handle = inside._handle!;
  if (handle.reading) handle.readStop();
  handle.reading = false;
  inside._handle = null;
  return handle;
}

/** A socket of what was accepted, which reads in our way. */
export function socketOf(handle: Handle, reads: NodeReads): QuietSocket {
  handle.setNoDelay?.(true);
  // deno-lint-ignore no-explicit-any -- `handle` is missing in the types
  const options: any = { handle, allowHalfOpen: true, onread: reads.onread };
  return new QuietSocket(options);
}
