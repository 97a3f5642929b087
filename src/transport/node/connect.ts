/** Connecting on Node: https://nodejs.org/api/net.html */
import type { TimerList } from "../../timers.ts";
import type { Buffers } from "../buffers.ts";
import { NetAttempt, netConnect } from "../net/connect.ts";
import { inheritedEnds, socketOn } from "../net/listen.ts";
import type { Transport } from "../transport.ts";
import { NodeConn, Reads } from "./conn.ts";

/** `Transport.connOn` for Node. */
// deno-lint-ignore require-await -- failing must reject
export async function nodeConnOn(
  fd: number,
  timers: TimerList,
  buffers: Buffers,
): Promise<NodeConn> {
  const reads = new Reads(buffers);
  const socket = socketOn(fd, reads.onread);
  return new NodeConn(socket, inheritedEnds(socket), timers, reads);
}

export function nodeConnect(
  timers: TimerList,
  buffers: Buffers,
): Transport["connect"] {
  return (endpoint, options = {}) => {
    if (options.forTls) return netConnect(endpoint, options, timers);
    const reads = new Reads(buffers);
    return new NetAttempt(endpoint, options, timers, {
      toConn: (socket, ends) => new NodeConn(socket, ends, timers, reads),
      onread: reads.onread,
    }).start(timers);
  };
}
