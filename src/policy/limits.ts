import type { Endpoint } from "../endpoint.ts";
import type { Service } from "../table/service.ts";
import { Counts } from "./counts.ts";
import { busy, type Refusal } from "./decide.ts";
import { refusesStartup } from "./max_startups.ts";
import type { ServerLimits } from "./limit_settings.ts";
import { type Offence, Penalties } from "./penalties.ts";
import { Buckets } from "./rate.ts";
import { sourceOf } from "./source.ts";

const FULL = busy("max_connections is reached");
const CROWDED = busy("max_handshakes is reached");

/** The refusals that mean everybody, whoever comes. */
export const SERVER_FULL: readonly Refusal[] = [FULL, CROWDED];

export interface LimitsOptions {
  /** Milliseconds that never go back. */
  readonly clock?: () => number;
  /** From 0 to below 1. */
  readonly random?: () => number;
}

/**
 * Counts who is here and who has come. Nothing ever waits for room, nothing
 * is switched off for good, and what is kept of each source is bounded.
 */
export class Limits {
  readonly #clock: () => number;
  readonly #random: () => number;
  readonly #penalties = new Penalties();
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

  /** Whether there is room again, and not for one or two alone. */
  isRoomy({ maxConnections, maxStartups }: ServerLimits): boolean {
    return this.#serving <= maxConnections * 0.9 &&
      this.#handshakes <= maxStartups.start * 0.9;
  }

  /** What a new connection gets. */
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
    const isUnix = remote.transport === "unix"; // one source for all its users
    const left = this.#penalties.left(source, now);
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
    if (this.#serving >= limits.maxConnections) return FULL;
    const { maxStartups } = limits;
    if (refusesStartup(maxStartups, this.#handshakes, this.#random())) {
      return CROWDED;
    }
  }

  /** For the slots. @returns why it may not be served, where it may not */
  admit(
    service: Service,
    remote: Endpoint,
    source: string,
    { maxConnections }: ServerLimits,
  ): Refusal | undefined {
    const { limits, name } = service;
    const now = this.#clock();
    const both = bothOf(name, source);
    const isUnix = remote.transport === "unix";
    if (this.#serving >= maxConnections) return FULL;
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

  blame(
    remote: Endpoint,
    source: string,
    offence: Offence,
    { penalties }: ServerLimits,
  ): void {
    if (remote.transport === "unix" || penalties.exempt.has(remote.host)) {
      return;
    }
    this.#penalties.blame(source, offence, penalties, this.#clock());
  }

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

/** No name of a service holds a blank. */
function bothOf(service: string, source: string): string {
  return `${service} ${source}`;
}

type Verdict = "serve" | "refuse" | "drop";

/** What a connection was given on arrival. */
export class Slot {
  /** `serve`: go on. `refuse`: say why. `drop`: there is no room even so. */
  readonly verdict: Verdict;
  /** Why it is not served. */
  readonly refusal: Refusal | undefined;
  /** Live connections of the same source, this one included. */
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

  /** Asks for room with a service, once. @returns why there is none */
  admit(service: Service): Refusal | undefined {
    const refusal = this.#limits.admit(
      service,
      this.#remote,
      this.#source,
      this.#settings,
    );
    if (refusal === undefined) this.#service = service.name;
    return refusal;
  }

  /** The client has done what it should not. */
  blame(offence: Offence): void {
    this.#limits.blame(this.#remote, this.#source, offence, this.#settings);
  }

  /** Gives all of it back, once. */
  release(): void {
    this.#limits.giveBack(this.verdict, this.#source, this.#service);
  }
}
