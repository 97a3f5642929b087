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

/** Opens one account a connection. Each is closed once: nothing else counts. */
export class Accounts {
  #last = 0;
  #closed: (record: ConnectionRecord) => void;

  constructor(closed: (record: ConnectionRecord) => void) {
    this.#closed = closed;
  }

  open(local: Endpoint, remote: Endpoint): Account {
    return new Account(++this.#last, local, remote, this.#closed);
  }
}

export class Account {
  readonly id: number;
  service: Service | undefined;
  readonly #local: Endpoint;
  readonly #remote: Endpoint;
  readonly #begin = performance.now();
  readonly #record: (record: ConnectionRecord) => void;
  #closed = false;

  constructor(
    id: number,
    local: Endpoint,
    remote: Endpoint,
    record: (record: ConnectionRecord) => void,
  ) {
    this.id = id;
    this.#local = local;
    this.#remote = remote;
    this.#record = record;
  }

  /** The first call counts; a later one changes nothing. */
  close(
    outcome: Outcome,
    reason: string,
    bytes: { bytesIn: number; bytesOut: number },
  ): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#record({
      conn: this.id,
      remote: formatEndpoint(this.#remote),
      local: formatEndpoint(this.#local),
      service: this.service?.name ?? "",
      kind: this.service?.kind ?? "",
      outcome,
      bytesIn: bytes.bytesIn,
      bytesOut: bytes.bytesOut,
      durationMs: Math.round((performance.now() - this.#begin) * 10) / 10,
      reason,
    });
  }
}
