import { type Endpoint, sourceOf } from "../endpoint.ts";
import type { EndCode } from "./ending.ts";
import type { Limited, ServerLimits } from "./limit_settings.ts";
import { type Offence, Penalties, refusesStartup } from "./penalties.ts";
import { Buckets } from "./rate.ts";
import { busy, type Refusal } from "./refusal.ts";

const MAX_CONNECTIONS = busy("limit_global", "max_connections is reached");
const MAX_HANDSHAKES = busy("limit_global", "max_handshakes is reached");

/** The refusals that any new client gets, whatever its source. */
export const SERVER_FULL: readonly Refusal[] = [
  MAX_CONNECTIONS,
  MAX_HANDSHAKES,
];

export interface LimitsOptions {
  /** Milliseconds that never go back. */
  readonly clock?: () => number;
  /** From 0 to below 1. */
  readonly random?: () => number;
  /** Called when a penalty begins for a source that also has sessions. */
  readonly onSharedSource?: (source: string) => void;
}

/** A number for each key. A key whose number is 0 takes no memory. */
class Counts {
  #counts = new Map<string, number>();

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  /** Whether a key ends so. It looks at all of them. */
  hasEnding(end: string): boolean {
    for (const key of this.#counts.keys()) if (key.endsWith(end)) return true;
    return false;
  }

  /** @returns the number of this key now */
  add(key: string): number {
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count;
  }

  remove(key: string): void {
    const count = (this.#counts.get(key) ?? 0) - 1;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }
}

/** What is counted now. */
class Tally {
  /** Connections that have a service. */
  serving = 0;
  /** Connections that have not named one yet. */
  handshakes = 0;
  /** Connections that wait for the reply that refuses them. */
  refusing = 0;
  /** Whether any source has ever been blamed. */
  hasBlamed = false;
  readonly penalties = new Penalties();
  readonly sourceRates = new Buckets();
  readonly serviceRates = new Buckets();
  readonly bySource = new Counts();
  readonly byService = new Counts();
  readonly byBoth = new Counts();
  readonly clock: () => number;
  readonly onSharedSource: ((source: string) => void) | undefined;

  constructor({ clock, onSharedSource }: LimitsOptions) {
    this.clock = clock ?? performance.now.bind(performance);
    this.onSharedSource = onSharedSource;
  }
}

/**
 * Counts connections and new connections. No client waits for room, no limit
 * shuts anybody out for good, and the memory for sources is bounded.
 */
export class Limits {
  readonly #tally: Tally;
  readonly #random: () => number;

  constructor(options: LimitsOptions = {}) {
    this.#tally = new Tally(options);
    this.#random = options.random ?? Math.random;
  }

  /** Connections that have a service. */
  get serving(): number {
    return this.#tally.serving;
  }

  /** Connections that have not named one yet. */
  get handshakes(): number {
    return this.#tally.handshakes;
  }

  /** Whether there is room for more than one or two clients. */
  isRoomy({ maxConnections, maxStartups }: ServerLimits): boolean {
    return this.serving <= maxConnections * 0.9 &&
      this.handshakes <= maxStartups.start * 0.9;
  }

  /**
   * Counts a new connection, and decides whether it may name a service.
   *
   * @param isLate it is there already, and `max_handshakes` has admitted it
   */
  arrive(remote: Endpoint, limits: ServerLimits, isLate = false): Slot {
    const source = sourceOf(remote, limits.ipv6SourcePrefix);
    const fromSource = this.#tally.bySource.add(source);
    const refusal = this.#refusalOf(remote, source, fromSource, limits, isLate);
    return new Slot(this.#tally, refusal, remote, source, fromSource, limits);
  }

  /**
   * Counts a connection for the client that its proxy has announced. So far it
   * was counted, but for no source: proxies have as many as there are clients.
   */
  announced(slot: Slot, remote: Endpoint, limits: ServerLimits): Slot {
    slot.release();
    return this.arrive(remote, limits, true);
  }

  #refusalOf(
    remote: Endpoint,
    source: string,
    fromSource: number,
    limits: ServerLimits,
    isLate: boolean,
  ): Refusal | undefined {
    const tally = this.#tally;
    const now = tally.clock();
    // All clients of a Unix socket are one source, which has no limits.
    const isUnix = remote.transport === "unix";
    const left = tally.hasBlamed ? tally.penalties.left(source, now) : 0;
    if (left > 0) {
      return busy(
        "penalty",
        `${source} is penalised for ${Math.ceil(left / 1000)} s more`,
      );
    }
    const { maxConnectionsPerSource: most, ratePerSource: rate } = limits;
    if (most > 0 && !isUnix && fromSource > most) {
      return busy("limit_source", "max_connections_per_source is reached");
    }
    if (
      rate !== undefined && !isUnix &&
      !tally.sourceRates.take(source, rate, now)
    ) return busy("rate", "rate_per_source is exceeded");
    if (tally.serving >= limits.maxConnections) return MAX_CONNECTIONS;
    const { maxStartups } = limits;
    const { handshakes } = tally;
    if (isLate || handshakes < maxStartups.start) return undefined;
    return refusesStartup(maxStartups, handshakes, this.#random())
      ? MAX_HANDSHAKES
      : undefined;
  }
}

function busyWith(code: EndCode, service: string, key: string): Refusal {
  const verb = key.startsWith("rate") ? "exceeded" : "reached";
  return busy(code, `${key} of ${service} is ${verb}`);
}

/** What a new connection takes up of the limits, until it is released. */
export class Slot {
  /**
   * `serve`: the client may name a service. `refuse`: it gets a reply that says
   * why it may not. `drop`: too many are being refused already for a reply.
   */
  readonly verdict: "serve" | "refuse" | "drop";
  /** Why the client is not served, where it is not. */
  readonly refusal: Refusal | undefined;
  /** Live connections of the same source, with this one. */
  readonly fromSource: number;
  readonly #tally: Tally;
  readonly #remote: Endpoint;
  readonly #source: string;
  readonly #settings: ServerLimits;
  #service: string | undefined = undefined;

  constructor(
    tally: Tally,
    refusal: Refusal | undefined,
    remote: Endpoint,
    source: string,
    fromSource: number,
    settings: ServerLimits,
  ) {
    this.#tally = tally;
    this.refusal = refusal;
    this.#remote = remote;
    this.#source = source;
    this.#settings = settings;
    this.fromSource = fromSource;
    if (refusal === undefined) {
      this.verdict = "serve";
      tally.handshakes++;
    } else if (tally.refusing < settings.maxRefusing) {
      this.verdict = "refuse";
      tally.refusing++;
    } else this.verdict = "drop";
  }

  /**
   * Takes up room of a service. Called at most once with success.
   *
   * @returns why there is no room, if there is none
   */
  admit({ limits, name }: Limited): Refusal | undefined {
    const tally = this.#tally;
    const now = tally.clock();
    const both = `${name} ${this.#source}`; // no service's name has a space
    const isUnix = this.#remote.transport === "unix";
    if (tally.serving >= this.#settings.maxConnections) return MAX_CONNECTIONS;
    const { maxConnections: most, maxConnectionsPerSource: mostOfOne } = limits;
    if (most > 0 && tally.byService.of(name) >= most) {
      return busyWith("limit_service", name, "max_connections");
    }
    if (mostOfOne > 0 && !isUnix && tally.byBoth.of(both) >= mostOfOne) {
      return busyWith("limit_source", name, "max_connections_per_source");
    }
    const { rate, ratePause, ratePerSource } = limits;
    if (
      ratePerSource !== undefined && !isUnix &&
      !tally.sourceRates.take(both, ratePerSource, now)
    ) return busyWith("rate", name, "rate_per_source");
    if (
      rate !== undefined &&
      !tally.serviceRates.take(name, rate, now, ratePause)
    ) return busyWith("rate", name, "rate");
    tally.handshakes--;
    tally.serving++;
    tally.byService.add(name);
    tally.byBoth.add(both);
    this.#service = name;
  }

  /** Adds the client's offence to the score of its source. */
  blame(offence: Offence): void {
    const { penalties } = this.#settings;
    const remote = this.#remote;
    if (remote.transport === "unix" || penalties.exempt.has(remote.host)) {
      return;
    }
    const [tally, source] = [this.#tally, this.#source];
    tally.hasBlamed = true;
    if (!tally.penalties.blame(source, offence, penalties, tally.clock())) {
      return;
    }
    if (tally.byBoth.hasEnding(` ${source}`)) tally.onSharedSource?.(source);
  }

  /** Gives back all that the connection takes up. Called once. */
  release(): void {
    const tally = this.#tally;
    tally.bySource.remove(this.#source);
    if (this.verdict === "refuse") tally.refusing--;
    if (this.verdict !== "serve") return;
    const service = this.#service;
    if (service === undefined) return void tally.handshakes--;
    tally.serving--;
    tally.byService.remove(service);
    tally.byBoth.remove(`${service} ${this.#source}`);
  }
}
