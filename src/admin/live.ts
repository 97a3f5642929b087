import { formatEndpoint } from "../endpoint.ts";
import type { Recorded } from "../record.ts";

/** The sessions under way of one service. */
export interface LiveService {
  sessions: number;
  bytesIn: number;
  bytesOut: number;
  /** How many have which upstream, by its address. */
  readonly upstreams: Map<string, number>;
}

/** The connections under way that one listener has accepted. */
export interface LiveListener {
  connections: number;
  /** Those whose service has begun. */
  serving: number;
}

/** What is under way. */
export interface Live extends LiveListener {
  /** By their addresses. */
  readonly listeners: ReadonlyMap<string, LiveListener>;
  /** By the names of services. */
  readonly services: ReadonlyMap<string, LiveService>;
}

/** Counts the sessions under way, in one pass. */
export function liveOf(sessions: Iterable<Recorded>): Live {
  const listeners = new Map<string, LiveListener>();
  const services = new Map<string, LiveService>();
  let connections = 0;
  let serving = 0;
  for (const session of sessions) {
    const { server, service, upstream, served } = session;
    const isServed = Number(served > 0);
    let by = listeners.get(server.listener);
    if (by === undefined) {
      by = { connections: 0, serving: 0 };
      listeners.set(server.listener, by);
    }
    connections++;
    serving += isServed;
    by.connections++;
    by.serving += isServed;
    if (service === undefined) continue;
    let of = services.get(service.name);
    if (of === undefined) {
      of = { sessions: 0, bytesIn: 0, bytesOut: 0, upstreams: new Map() };
      services.set(service.name, of);
    }
    of.sessions++;
    of.bytesIn += session.bytesIn;
    of.bytesOut += session.bytesOut;
    if (upstream === undefined) continue;
    const address = formatEndpoint(upstream);
    of.upstreams.set(address, (of.upstreams.get(address) ?? 0) + 1);
  }
  return { connections, serving, listeners, services };
}
