import type { MaxStartups } from "./max_startups.ts";
import type { PenaltySettings } from "./penalties.ts";
import type { Rate } from "./rate.ts";

/** The limits of a server; those of its services are with them. */
export interface ServerLimits {
  readonly maxConnections: number;
  readonly maxStartups: MaxStartups;
  /** Refusals that may be on their way at a time, beyond all that. */
  readonly maxRefusing: number;
  /** 0 for no limit. */
  readonly maxConnectionsPerSource: number;
  readonly ratePerSource: Rate | undefined;
  /** Bits of an IPv6 address that make a source. */
  readonly ipv6SourcePrefix: number;
  readonly penalties: PenaltySettings;
}

/** The limits of one service. 0 and undefined are none. */
export interface ServiceLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerSource: number;
  readonly rate: Rate | undefined;
  /** Milliseconds for which all are refused once the rate was exceeded. */
  readonly ratePause: number;
  readonly ratePerSource: Rate | undefined;
}
