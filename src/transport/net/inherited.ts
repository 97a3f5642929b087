/** Sockets that this process was started with, by documented `node:net`. */
import type { OnReadOpts } from "node:net";
import { acceptedEnds, type Endpoint, type Peer } from "../../endpoint.ts";
import { fromSystem } from "../errno.ts";
import { QuietSocket } from "./conn.ts";
import { NO_ENDS } from "./process_socket.ts";

/** Stands for a listener of which nothing is known: each end is asked for. */
const ANY: Endpoint = { transport: "tcp", host: "::", port: 0 };

/**
 * A connection of a descriptor, which belongs to the socket from now on.
 *
 * @param onread how the socket reads; by default as the stream does
 * @throws an error of the system where it is no connection
 */
export function socketOn(fd: number, onread?: OnReadOpts): QuietSocket {
  return new QuietSocket({
    fd,
    readable: true,
    writable: true,
    allowHalfOpen: true,
    ...(onread === undefined ? {} : { onread }),
  });
}

/**
 * Both ends of a connection that another program has accepted.
 *
 * @throws {TcpmuxError} code `connection_reset` where there is no client
 */
export function inheritedEnds(
  socket: Parameters<typeof acceptedEnds>[0],
): Peer {
  if (!socket.localAddress) return NO_ENDS; // a Unix socket
  const ends = acceptedEnds(socket, ANY);
  if (ends !== undefined) return ends;
  throw fromSystem({ code: "ECONNRESET" }, "cannot serve the client");
}
