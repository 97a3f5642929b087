import type { Endpoint } from "../endpoint.ts";
import { type MaxStartups, refusesStartup } from "./max_startups.ts";
import { type Offence, Penalties, type PenaltySettings } from "./penalties.ts";
import { Buckets, type Rate } from "./rate.ts";
import { busy, type Refusal } from "./refusal.ts";
import { Counts, sourceOf } from "./sources.ts";

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

const MAX_CONNECTIONS = busy("max_connections is reached");
const MAX_HANDSHAKES = busy("max_handshakes is reached");

/** The refusals that any new client gets, whoever it is. */
export const SERVER_FULL: readonly Refusal[] = [
  MAX_CONNECTIONS,
  MAX_HANDSHAKES,
];

export interface LimitsOptions {
  /** Milliseconds that never go back. */
  readonly clock?: () => number;
  /** From 0 to below 1. */
  readonly random?: () => number;
}

/**
 * Counts connections and new connections. No client waits for room, no limit
 * shuts anybody out for good, and the memory for sources is bounded.
 */
export class Limits {
  readonly #clock: () => number;
  readonly #random: () => number;
  readonly #penalties = new Penalties();
  /** Whether any source has ever been blamed. */
  #hasBlamed = false;
  readonly #sourceRates = new Buckets();
  readonly #serviceRates = new Buckets();
  readonly #bySource = new Counts();
  readonly #byService = new Counts();
  readonly #byBoth = new Counts();
  #handshakes = 0;
  #serving = 0;
  #refusing = 0;

  constructor({ clock, random }: LimitsOptions = {}) {
    this.#clock = clock ?? (() => performance.now());
    this.#random = random ?? Math.random;
  }

  /** Connections that have a service. */
  get serving(): number {
    return this.#serving;
  }

  /** Connections that have not named one yet. */
  get handshakes(): number {
    return this.#handshakes;
  }

  /** Whether there is room for more than one or two clients. */
  isRoomy({ maxConnections, maxStartups }: ServerLimits): boolean {
    return this.#serving <= maxConnections * 0.9 &&
      this.#handshakes <= maxStartups.start * 0.9;
  }

  /** Counts a new connection, and decides whether it may name a service. */
  arrive(remote: Endpoint, limits: ServerLimits): Slot {
    const source = sourceOf(remote, limits.ipv6SourcePrefix);
    const refusal = this.#refusalOf(remote, source, limits);
    const fromSource = this.#bySource.add(source);
    const verdict = refusal === undefined
      ? "serve"
      : this.#refusing < limits.maxRefusing
      ? "refuse"
      : "drop";
    if (verdict === "serve") this.#handshakes++;
    if (verdict === "refuse") this.#refusing++;
    return new Slot(this, verdict, refusal, remote, source, fromSource, limits);
  }

  #refusalOf(
    remote: Endpoint,
    source: string,
    limits: ServerLimits,
  ): Refusal | undefined {
    const now = this.#clock();
    // All clients of a Unix socket are one source, which has no limits.
    const isUnix = remote.transport === "unix";
    const left = this.#hasBlamed ? this.#penalties.left(source, now) : 0;
    if (left > 0) {
      return busy(
        `a penalty of ${source}, for ${Math.ceil(left / 1000)} s more`,
      );
    }
    const { maxConnectionsPerSource: most, ratePerSource: rate } = limits;
    if (most > 0 && !isUnix && this.#bySource.of(source) >= most) {
      return busy("max_connections_per_source is reached");
    }
    if (
      rate !== undefined && !isUnix &&
      !this.#sourceRates.take(source, rate, now)
    ) return busy("rate_per_source is exceeded");
    if (this.#serving >= limits.maxConnections) return MAX_CONNECTIONS;
    const { maxStartups } = limits;
    const handshakes = this.#handshakes;
    if (handshakes < maxStartups.start) return undefined;
    return refusesStartup(maxStartups, handshakes, this.#random())
      ? MAX_HANDSHAKES
      : undefined;
  }

  /**
   * Counts a connection as one of the service. Called only by `Slot`.
   *
   * @returns why it may not be served, if it may not
   */
  admit(
    service: Limited,
    remote: Endpoint,
    source: string,
    { maxConnections }: ServerLimits,
  ): Refusal | undefined {
    const { limits, name } = service;
    const now = this.#clock();
    const both = bothOf(name, source);
    const isUnix = remote.transport === "unix";
    if (this.#serving >= maxConnections) return MAX_CONNECTIONS;
    const { maxConnections: most, maxConnectionsPerSource: mostOfOne } = limits;
    if (most > 0 && this.#byService.of(name) >= most) {
      return busyWith(name, "max_connections");
    }
    if (mostOfOne > 0 && !isUnix && this.#byBoth.of(both) >= mostOfOne) {
      return busyWith(name, "max_connections_per_source");
    }
    const { rate, ratePause, ratePerSource } = limits;
    if (
      ratePerSource !== undefined && !isUnix &&
      !this.#sourceRates.take(both, ratePerSource, now)
    ) return busyWith(name, "rate_per_source");
    if (
      rate !== undefined &&
      !this.#serviceRates.take(name, rate, now, ratePause)
    ) return busyWith(name, "rate");
    this.#handshakes--;
    this.#serving++;
    this.#byService.add(name);
    this.#byBoth.add(both);
  }

  /** Called only by `Slot`, as `giveBack`. */
  blame(
    remote: Endpoint,
    source: string,
    offence: Offence,
    { penalties }: ServerLimits,
  ): void {
    if (remote.transport === "unix" || penalties.exempt.has(remote.host)) {
      return;
    }
    this.#hasBlamed = true;
    this.#penalties.blame(source, offence, penalties, this.#clock());
  }

  /** Gives back what a connection has taken up. */
  giveBack(
    verdict: Verdict,
    source: string,
    service: string | undefined,
  ): void {
    this.#bySource.remove(source);
    if (verdict === "refuse") this.#refusing--;
    if (verdict !== "serve") return;
    if (service === undefined) {
      this.#handshakes--;
      return;
    }
    this.#serving--;
    this.#byService.remove(service);
    this.#byBoth.remove(bothOf(service, source));
  }
}

function busyWith(service: string, key: string): Refusal {
  return busy(`${key} of ${service}`);
}

/** A key for both, which is unique because no service's name has a space. */
function bothOf(service: string, source: string): string {
  return `${service} ${source}`;
}

type Verdict = "serve" | "refuse" | "drop";

/** What a new connection takes up of the limits, until it is released. */
export class Slot {
  /**
   * `serve`: the client may name a service. `refuse`: it gets a reply that says
   * why it may not. `drop`: too many are being refused already for a reply.
   */
  readonly verdict: Verdict;
  /** Why the client is not served, where it is not. */
  readonly refusal: Refusal | undefined;
  /** Live connections of the same source, with this one. */
  readonly fromSource: number;
  #limits: Limits;
  #remote: Endpoint;
  #source: string;
  #settings: ServerLimits;
  #service: string | undefined;

  constructor(
    limits: Limits,
    verdict: Verdict,
    refusal: Refusal | undefined,
    remote: Endpoint,
    source: string,
    fromSource: number,
    settings: ServerLimits,
  ) {
    this.#limits = limits;
    this.verdict = verdict;
    this.refusal = refusal;
    this.#remote = remote;
    this.#source = source;
    this.fromSource = fromSource;
    this.#settings = settings;
  }

  /**
   * Takes up room of a service. Called at most once with success.
   *
   * @returns why there is no room, if there is none
   */
  admit(service: Limited): Refusal | undefined {
    const refusal = this.#limits.admit(
      service,
      this.#remote,
      this.#source,
      this.#settings,
    );
    if (refusal === undefined) this.#service = service.name;
    return refusal;
  }

  /** Adds the client's offence to the account of its source. */
  blame(offence: Offence): void {
    this.#limits.blame(this.#remote, this.#source, offence, this.#settings);
  }

  /** Gives back all that the connection takes up. Called once. */
  release(): void {
    this.#limits.giveBack(this.verdict, this.#source, this.#service);
  }
}
