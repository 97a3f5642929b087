/**
 * What is counted for metrics and the page: what has ended since the server
 * started, as it ends, and what is under way, when somebody asks.
 */
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { type EndCode, OUTCOMES } from "../policy/ending.ts";
import type { ConnectionRecord, Observer, Recorded } from "../record.ts";
import type { Service } from "../table/service.ts";
import { upstreamsOf } from "../table/table.ts";
import type { Exit } from "../transport/transport.ts";
import { Troubles } from "./troubles.ts";

/** Upper bounds of the times until a service began, in seconds. */
export const HANDSHAKE_BOUNDS: readonly number[] = [
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
];

/** A service that could not be opened. */
export interface OpeningFailure {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly reason: string;
  /** Failures in a row. */
  readonly times: number;
}

/** What has become of the connections to one upstream of a service. */
export class UpstreamTally {
  /** Whether the last one has come about; undefined before the first. */
  isUp: boolean | undefined = undefined;
  answers = 0;
  /** What all answers took. */
  seconds = 0;
}

/** How a program has exited. */
export type ExitStatus = "0" | "nonzero" | "signal";

/** What has become of the sessions of one service. */
export class ServiceTally {
  /** Sessions that ended so. */
  readonly ends: Partial<Record<EndCode, number>> = {};
  /** What all of them took. */
  seconds = 0;
  /** How often it could not be opened, by the code. */
  readonly failures: Partial<Record<EndCode, number>> = {};
  lastFailure: OpeningFailure | undefined;
  /** When it was opened last, in milliseconds since 1970. */
  lastOpened = 0;
  /** By their addresses, those that it has in the table. */
  upstreams: ReadonlyMap<string, UpstreamTally> = new Map();
  readonly exits: Partial<Record<ExitStatus, number>> = {};
}

/**
 * Counts in plain numbers: this runs for each connection, and what is read
 * seldom is made when somebody asks. It takes no more memory than the table has
 * services and listeners.
 */
export class Tally implements Observer {
  ended = 0;
  /** When the table in force came into force, in milliseconds since 1970. */
  inForceSince = 0;
  /** Connections whose service began are `ok`, however they ended. */
  readonly results = noResults();
  /** Times until the service began: by bound, and those above all bounds. */
  readonly handshakes: number[] = Array(HANDSHAKE_BOUNDS.length + 1).fill(0);
  handshakeSeconds = 0;
  readonly troubles = new Troubles();
  /** By what the system calls it. */
  readonly acceptErrors: Record<string, number> = {};
  #listeners = new Map<string, Results>();
  #services = new Map<string, ServiceTally>();
  /** Those of the table in force, without a text to make for each look. */
  #upstreams = new Map<Endpoint, UpstreamTally>();

  /** A table has come into force: what both have goes on counting. */
  inForce(services: readonly Service[], listeners: readonly string[]): void {
    this.inForceSince = Date.now();
    this.#listeners = kept(this.#listeners, listeners, noResults);
    const names = services.map(({ name }) => name);
    this.#services = kept(this.#services, names, () => new ServiceTally());
    this.#upstreams = new Map();
    for (const service of services) {
      const tally = this.#services.get(service.name)!;
      const endpoints = upstreamsOf(service);
      tally.upstreams = kept(
        tally.upstreams,
        endpoints.map(formatEndpoint),
        () => new UpstreamTally(),
      );
      for (const endpoint of endpoints) {
        const of = tally.upstreams.get(formatEndpoint(endpoint))!;
        this.#upstreams.set(endpoint, of);
      }
    }
  }

  /** What the handshakes of each listener have led to, by its address. */
  get listeners(): ReadonlyMap<string, Results> {
    return this.#listeners;
  }

  /** The services of the table in force, by their names. */
  get services(): ReadonlyMap<string, ServiceTally> {
    return this.#services;
  }

  recorded(record: ConnectionRecord): void {
    const { code, durationMs, handshakeMs } = record;
    const service = this.#services.get(record.service);
    const result = handshakeMs === undefined ? code : "ok";
    this.ended++;
    this.results[result]++;
    this.#resultsOf(record.listener)[result]++;
    if (handshakeMs === undefined) {
      if (isOpeningFailure(code) && service !== undefined) {
        this.#failed(service, record);
      }
    } else {
      this.handshakeSeconds += handshakeMs / 1000;
      this.handshakes[bucketOf(handshakeMs / 1000)]!++;
      if (service !== undefined) {
        service.ends[code] = (service.ends[code] ?? 0) + 1;
        service.seconds += durationMs / 1000;
        service.lastOpened = Date.now() - durationMs + handshakeMs;
      }
    }
    this.troubles.recorded(record);
  }

  /** A listener that a reload has closed may have sessions under way. */
  #resultsOf(listener: string): Results {
    let results = this.#listeners.get(listener);
    if (results === undefined) {
      results = noResults();
      this.#listeners.set(listener, results);
    }
    return results;
  }

  acceptFailed(code: string): void {
    this.acceptErrors[code] = (this.acceptErrors[code] ?? 0) + 1;
  }

  upstreamAnswered(service: string, endpoint: Endpoint, time: number): void {
    const upstream = this.#upstreamOf(service, endpoint);
    if (upstream === undefined) return;
    upstream.isUp = true;
    upstream.answers++;
    upstream.seconds += time / 1000;
  }

  upstreamFailed(service: string, endpoint: Endpoint): void {
    const upstream = this.#upstreamOf(service, endpoint);
    if (upstream !== undefined) upstream.isUp = false;
  }

  #upstreamOf(service: string, endpoint: Endpoint): UpstreamTally | undefined {
    const known = this.#upstreams.get(endpoint);
    if (known !== undefined) return known;
    // Of a session that has begun under another table.
    const { upstreams } = this.#services.get(service) ?? {};
    return upstreams?.get(formatEndpoint(endpoint));
  }

  programExited(service: string, { code, signal }: Exit): void {
    const { exits } = this.#services.get(service) ?? {};
    if (exits === undefined) return;
    const status = signal !== null ? "signal" : code === 0 ? "0" : "nonzero";
    exits[status] = (exits[status] ?? 0) + 1;
  }

  #failed(service: ServiceTally, { code, reason }: ConnectionRecord): void {
    const { lastFailure, lastOpened } = service;
    const isInARow = lastFailure !== undefined && lastFailure.at > lastOpened;
    service.failures[code] = (service.failures[code] ?? 0) + 1;
    service.lastFailure = {
      at: Date.now(),
      reason,
      times: isInARow ? lastFailure.times + 1 : 1,
    };
  }
}

/** Connections by what their handshake has led to. */
export type Results = Record<EndCode, number>;

function noResults(): Results {
  const codes = Object.keys(OUTCOMES);
  return Object.fromEntries(codes.map((code) => [code, 0])) as Results;
}

/** Those of `names`, the known ones as they are. */
function kept<T>(
  known: ReadonlyMap<string, T>,
  names: readonly string[],
  create: () => T,
): Map<string, T> {
  return new Map(
    names.map((name) => [name, known.get(name) ?? create()] as const),
  );
}

function isOpeningFailure(code: EndCode): boolean {
  return code === "backend_down" || code === "backend_refused";
}

function bucketOf(seconds: number): number {
  let index = 0;
  while (
    index < HANDSHAKE_BOUNDS.length && seconds > HANDSHAKE_BOUNDS[index]!
  ) {
    index++;
  }
  return index;
}

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
