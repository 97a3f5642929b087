/** Listening on Node: https://nodejs.org/api/net.html#class-netserver */
import type { Server } from "node:net";
import { acceptedEnds } from "../../endpoint.ts";
import type { TimerList } from "../../timers.ts";
import type { Buffers } from "../buffers.ts";
import {
  byConnectionEvent,
  discard,
  netListen,
  type NetListener,
  netListenOn,
} from "../net/listen.ts";
import type { ListenOptions, Transport } from "../transport.ts";
import { NodeConn, Reads } from "./conn.ts";
import { type Handle, onAccept, socketOf } from "./internals.ts";

export function nodeListen(
  timers: TimerList,
  buffers: Buffers,
): Required<Pick<Transport, "listen" | "listenOn">> {
  const take = (server: Server, listener: NetListener) => {
    const accepted = (handle: Handle) => {
      const reads = new Reads(buffers);
      const socket = socketOf(handle, reads.onread);
      const ends = acceptedEnds(socket, listener.endpoint);
      if (ends === undefined) return discard(socket);
      listener.push(new NodeConn(socket, ends, timers, reads));
    };
    if (!onAccept(server, accepted)) byConnectionEvent(server, listener);
  };
  const takeFor = ({ forTls }: ListenOptions) =>
    forTls ? byConnectionEvent : take;
  return {
    listen: (endpoint, options = {}) =>
      netListen(endpoint, options, timers, takeFor(options)),
    listenOn: (fd, endpoint, options = {}) =>
      netListenOn(fd, endpoint, timers, takeFor(options)),
  };
}
