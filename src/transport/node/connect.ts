/** Connecting on Node: https://nodejs.org/api/net.html */
import type { TimerList } from "../../timers.ts";
import type { Buffers } from "../buffers.ts";
import { netConnect } from "../net/connect.ts";
import type { Transport } from "../transport.ts";
import { NodeConn, Reads } from "./conn.ts";

export function nodeConnect(
  timers: TimerList,
  buffers: Buffers,
): Transport["connect"] {
  return (endpoint, options = {}) => {
    const reads = new Reads(buffers);
    return netConnect(
      endpoint,
      options,
      timers,
      (socket, local, remote) =>
        new NodeConn(socket, local, remote, timers, reads).start(),
      reads.onread,
    );
  };
}
