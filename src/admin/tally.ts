/** What has ended since the server started, counted for metrics and the page. */
import { type EndCode, OUTCOMES } from "../policy/ending.ts";
import type { ConnectionRecord } from "../record.ts";
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
}

/**
 * Counts records in plain numbers: this runs for each connection, and what is
 * read seldom is made when somebody asks. It takes no more memory than the
 * table has services.
 */
export class Tally {
  ended = 0;
  /** When the table in force came into force, in milliseconds since 1970. */
  inForceSince = 0;
  /** Connections whose service began are `ok`, however they ended. */
  readonly results = Object.fromEntries(
    Object.keys(OUTCOMES).map((code) => [code, 0]),
  ) as Record<EndCode, number>;
  /** Times until the service began: by bound, and those above all bounds. */
  readonly handshakes: number[] = Array(HANDSHAKE_BOUNDS.length + 1).fill(0);
  handshakeSeconds = 0;
  readonly troubles = new Troubles();
  #services = new Map<string, ServiceTally>();

  /** A table has come into force: services of both go on counting. */
  inForce(names: readonly string[]): void {
    this.inForceSince = Date.now();
    this.#services = new Map(
      names.map((name) =>
        [name, this.#services.get(name) ?? new ServiceTally()] as const
      ),
    );
  }

  /** The services of the table in force, by their names. */
  get services(): ReadonlyMap<string, ServiceTally> {
    return this.#services;
  }

  recorded(record: ConnectionRecord): void {
    const { code, durationMs, handshakeMs } = record;
    const service = this.#services.get(record.service);
    this.ended++;
    if (handshakeMs === undefined) {
      this.results[code]++;
      if (isOpeningFailure(code) && service !== undefined) {
        this.#failed(service, record);
      }
    } else {
      this.results.ok++;
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

function isOpeningFailure(code: EndCode): boolean {
  return code === "backend_down" || code === "backend_refused";
}

function bucketOf(seconds: number): number {
  const index = HANDSHAKE_BOUNDS.findIndex((bound) => seconds <= bound);
  return index < 0 ? HANDSHAKE_BOUNDS.length : index;
}
