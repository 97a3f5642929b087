import type { Recorded } from "../record.ts";

/** The sessions under way of one service. */
export interface LiveService {
  sessions: number;
  bytesIn: number;
  bytesOut: number;
}

/** What is under way. */
export interface Live {
  readonly connections: number;
  /** Those whose service has begun. */
  readonly serving: number;
  /** By the names of services. */
  readonly services: ReadonlyMap<string, LiveService>;
}

/** Counts the sessions under way, in one pass. */
export function liveOf(sessions: Iterable<Recorded>): Live {
  const services = new Map<string, LiveService>();
  let connections = 0;
  let serving = 0;
  for (const { service, served, bytesIn, bytesOut } of sessions) {
    connections++;
    if (served > 0) serving++;
    if (service === undefined) continue;
    let of = services.get(service.name);
    if (of === undefined) {
      of = { sessions: 0, bytesIn: 0, bytesOut: 0 };
      services.set(service.name, of);
    }
    of.sessions++;
    of.bytesIn += bytesIn;
    of.bytesOut += bytesOut;
  }
  return { connections, serving, services };
}
