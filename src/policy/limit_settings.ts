/** The limits that a table sets. */
import type { MaxStartups, PenaltySettings } from "./penalties.ts";
import type { Rate } from "./rate.ts";

/** The limits of the whole server. */
export interface ServerLimits {
  readonly maxConnections: number;
  readonly maxStartups: MaxStartups;
  /** Refused clients that may be waiting for their reply at a time. */
  readonly maxRefusing: number;
  /** 0 for no limit. */
  readonly maxConnectionsPerSource: number;
  readonly ratePerSource: Rate | undefined;
  /** Bits of an IPv6 address that make a source. */
  readonly ipv6SourcePrefix: number;
  readonly penalties: PenaltySettings;
}

/** The limits of one service; 0 and undefined for no limit. */
export interface ServiceLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerSource: number;
  readonly rate: Rate | undefined;
  /** Milliseconds for which the service refuses once `rate` was exceeded. */
  readonly ratePause: number;
  readonly ratePerSource: Rate | undefined;
}

/** The part of a service that limits need. */
export interface Limited {
  readonly name: string;
  readonly limits: ServiceLimits;
}
