import { formatEndpoint } from "../endpoint.ts";
import { messageOf } from "../errors.ts";
import type { Outcome } from "../policy/ending.ts";
import type { ConnectionRecord, Recorded } from "../record.ts";
import type { Service } from "../table/service.ts";
import type { Table } from "../table/table.ts";

/**
 * A running server, as a plain object: what `tcpmux status --json` prints, and
 * what is shown to those who look at a server. Times are ISO 8601 or seconds.
 */
export interface Status {
  readonly version: string;
  /** Name and version, such as `node 26.10.0`. */
  readonly runtime: string;
  readonly pid: number;
  readonly started: string;
  /** Since then. */
  readonly seconds: number;
  /** The file of the table in force. */
  readonly table: string;
  /** Null as long as there was none. */
  readonly reload: ReloadStatus | null;
  /** The addresses that it listens on, with their real ports. */
  readonly listeners: readonly string[];
  readonly draining: boolean;
  /** Those of `[server.tls]`, in the order of the table. */
  readonly certificates: readonly CertificateStatus[];
  /** Connections under way, those that have not named a service yet too. */
  readonly sessions: number;
  /** How many connections have ended in which way. */
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>;
  /** In the order of the table. */
  readonly services: readonly ServiceStatus[];
}

/** The last reload. */
export interface ReloadStatus {
  readonly time: string;
  readonly ok: boolean;
  /** What was wrong; the table before it stays in force then. */
  readonly error?: string;
}

/** A certificate in force. */
export interface CertificateStatus {
  /** As the table names it. */
  readonly file: string;
  /** When it ends. */
  readonly until: string;
}

/** A service of the table, and what has become of its clients. */
export interface ServiceStatus {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly description: string;
  readonly kind: Service["kind"];
  /** What the table says. */
  readonly enabled: boolean;
  /** Whether it was switched off while the server ran. */
  readonly switched_off: boolean;
  /** Sessions under way. */
  readonly sessions: number;
  /** Sessions that have come to a good end, since the server started. */
  readonly served: number;
  /** Clients that a limit has turned away. */
  readonly refused: number;
  /** Sessions that broke off, missed a deadline, or never began. */
  readonly failed: number;
  /** From clients, of sessions that have ended. */
  readonly bytes_in: number;
  /** To clients, of sessions that have ended. */
  readonly bytes_out: number;
}

/** A connection under way. */
export interface SessionStatus {
  /** Its number, as `conn` of the log. */
  readonly id: number;
  readonly remote: string;
  /** The server's address that the client connected to. */
  readonly local: string;
  /** The proxy that it came by; null where it came by itself. */
  readonly via: string | null;
  /** Null as long as it has not named one. */
  readonly service: string | null;
  /** Where its service has connected to; null where it has not. */
  readonly upstream: string | null;
  /** Since it was accepted. */
  readonly seconds: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
}

/** What a {@linkcode StatusSource} asks, each time that it is asked. */
export interface StatusSourceOptions {
  readonly version: string;
  readonly runtime: string;
  readonly sessions: () => Iterable<Recorded>;
  readonly listeners: () => readonly string[];
  readonly isDraining: () => boolean;
  readonly certificates: () => readonly {
    readonly file: string;
    readonly until: Date;
  }[];
  readonly isSwitchedOff: (service: Service) => boolean;
}

/** A table that is in force. */
interface Named {
  readonly table: Table;
  readonly file: string;
}

/** What has become of the clients of one service. */
class ServiceCounts {
  served = 0;
  refused = 0;
  failed = 0;
  bytesIn = 0;
  bytesOut = 0;

  add({ outcome, bytesIn, bytesOut }: ConnectionRecord): void {
    if (outcome === "served") this.served++;
    else if (outcome === "busy") this.refused++;
    else this.failed++;
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
  }
}

/**
 * Counts what has ended since the server started, and shows that beside what
 * is under way. What is counted takes no more memory than the table has
 * services.
 */
export class StatusSource {
  readonly #options: StatusSourceOptions;
  readonly #started = new Date();
  readonly #begin = performance.now();
  readonly #outcomes: Partial<Record<Outcome, number>> = {};
  #counts = new Map<string, ServiceCounts>();
  #inForce: Named | undefined;
  #reload: ReloadStatus | null = null;

  constructor(options: StatusSourceOptions) {
    this.#options = options;
  }

  /** A table has come into force; services that both have go on counting. */
  inForce(next: Named): void {
    this.#inForce = next;
    this.#counts = new Map(
      next.table.services.map(({ name }) =>
        [name, this.#counts.get(name) ?? new ServiceCounts()] as const
      ),
    );
  }

  /** A reload has ended. */
  reloaded(error: unknown): void {
    const time = new Date().toISOString();
    this.#reload = error === undefined
      ? { time, ok: true }
      : { time, ok: false, error: messageOf(error) };
  }

  /** A connection has ended. */
  recorded(record: ConnectionRecord): void {
    const { outcome, service } = record;
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
    this.#counts.get(service)?.add(record);
  }

  status(): Status {
    const { version, runtime, listeners, isDraining, certificates } =
      this.#options;
    const now = new Map<string, number>();
    let sessions = 0;
    for (const { service } of this.#options.sessions()) {
      sessions++;
      if (service === undefined) continue;
      now.set(service.name, (now.get(service.name) ?? 0) + 1);
    }
    return {
      version,
      runtime,
      pid: process.pid,
      started: this.#started.toISOString(),
      seconds: secondsSince(this.#begin),
      table: this.#inForce?.file ?? "",
      reload: this.#reload,
      listeners: listeners(),
      draining: isDraining(),
      certificates: certificates().map(({ file, until }) => ({
        file,
        until: until.toISOString(),
      })),
      sessions,
      outcomes: { ...this.#outcomes },
      services:
        this.#inForce?.table.services.map((service) =>
          this.#serviceStatus(service, now.get(service.name) ?? 0)
        ) ?? [],
    };
  }

  #serviceStatus(service: Service, sessions: number): ServiceStatus {
    const { name, aliases, description, kind, enabled } = service;
    const { served, refused, failed, bytesIn, bytesOut } =
      this.#counts.get(name) ?? new ServiceCounts();
    return {
      name,
      aliases,
      description,
      kind,
      enabled,
      switched_off: this.#options.isSwitchedOff(service),
      sessions,
      served,
      refused,
      failed,
      bytes_in: bytesIn,
      bytes_out: bytesOut,
    };
  }

  /** The connections under way, oldest first. */
  sessions(): SessionStatus[] {
    const all: SessionStatus[] = [];
    for (const session of this.#options.sessions()) {
      const { id, peer, service, upstream, begin } = session;
      all.push({
        id,
        remote: formatEndpoint(peer.remote),
        local: formatEndpoint(peer.local),
        via: peer.via === undefined ? null : formatEndpoint(peer.via),
        service: service?.name ?? null,
        upstream: upstream === undefined ? null : formatEndpoint(upstream),
        seconds: secondsSince(begin),
        bytes_in: session.bytesIn,
        bytes_out: session.bytesOut,
      });
    }
    return all;
  }
}

function secondsSince(begin: number): number {
  return Math.round(performance.now() - begin) / 1000;
}
