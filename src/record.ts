import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import type { Service } from "./table/service.ts";

/** How a connection ended. */
export type Outcome =
  | "served"
  | "help"
  | "unknown"
  | "denied"
  | "busy"
  | "malformed"
  | "timeout"
  | "failed"
  | "aborted";

/** All that is known of a finished connection. */
export interface ConnectionRecord {
  /** Counts the connections of this server from 1. */
  readonly conn: number;
  readonly remote: string;
  readonly local: string;
  /** As the table spells it; empty where none was reached. */
  readonly service: string;
  readonly kind: Service["kind"] | "";
  readonly outcome: Outcome;
  /** Bytes of the service: neither the request line nor the reply. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  /** Why it ended so; empty where the outcome says it all. */
  readonly reason: string;
}

/** What a record is made of. */
export interface Recorded {
  readonly id: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly service: Service | undefined;
  /** When it was accepted, by `performance.now()`. */
  readonly begin: number;
}

/** The record of a connection that ends now. */
export function recordOf(
  { id, local, remote, service, begin }: Recorded,
  outcome: Outcome,
  reason: string,
  { bytesIn, bytesOut }: { bytesIn: number; bytesOut: number },
): ConnectionRecord {
  return {
    conn: id,
    remote: formatEndpoint(remote),
    local: formatEndpoint(local),
    service: service?.name ?? "",
    kind: service?.kind ?? "",
    outcome,
    bytesIn,
    bytesOut,
    durationMs: Math.round((performance.now() - begin) * 10) / 10,
    reason,
  };
}
