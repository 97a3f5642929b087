import {
  type Endpoint,
  formatEndpoint,
  type Peer,
  type PeerCertificate,
} from "./endpoint.ts";
import { isDisconnect, messageOf, stackOf } from "./errors.ts";
import type { Log } from "./log.ts";
import { alternativeNamesText, nameText } from "./policy/certificates.ts";
import { type EndCode, type Outcome, OUTCOMES } from "./policy/ending.ts";
import { type Counters, MissedDeadline } from "./relay_options.ts";
import type { Service } from "./table/service.ts";
import type { Exit } from "./transport/transport.ts";

/** By what a client has named its service, other than by a service line. */
export type NamedBy = "sni" | "first_bytes";

/** All that is known of a connection when it has ended. */
export interface ConnectionRecord {
  /** The number of the connection: the first of a server has 1. */
  readonly conn: number;
  /** The client's address, in the form that `parseEndpoint` reads. */
  readonly remote: string;
  /** The server's address that the client connected to. */
  readonly local: string;
  /**
   * The proxy that the connection came by, which says by the PROXY protocol who
   * its client is; absent for clients that came by themselves.
   */
  readonly via?: string;
  /**
   * By which proxies and upstreams name the connection, where one of them does:
   * the unique ID of the PROXY protocol.
   */
  readonly uniqueId?: string;
  /** The service's name in the table; empty where none was reached. */
  readonly service: string;
  /** The address of the listener that accepted it. */
  readonly listener: string;
  /** The upstream that its service connected to; absent where it did not. */
  readonly upstream?: string;
  /** The name that a client of a proxy asked for, as it wrote it. */
  readonly requested?: string;
  /**
   * By what the client has named its service, where it sent no service line: by
   * the host that it meant (SNI), or by its first bytes.
   */
  readonly namedBy?: NamedBy;
  /** The service's kind; empty where none was reached. */
  readonly kind:
    | "builtin"
    | "connect"
    | "exec"
    | "handler"
    | "tcpmux"
    | "text"
    | "";
  /** The version of TLS that it spoke, such as `TLSv1.3`; absent without TLS. */
  readonly tls?: string;
  /** The name of the server that the client meant by TLS; absent without. */
  readonly sni?: string;
  /**
   * The subject of the certificate that the client has shown and that was found
   * good, as RFC 4514 writes it. Absent without one, as are the next two.
   */
  readonly subject?: string;
  /** The alternative names in it, as `dns:a.example,uri:spiffe://fleet/a`. */
  readonly san?: string;
  /** The SHA-256 of it, in hexadecimal. */
  readonly fingerprint?: string;
  /** How it ended. */
  readonly outcome: Outcome;
  /** What exactly the outcome comes from, for programs: docs/log.md has all. */
  readonly code: EndCode;
  /**
   * Bytes from the client to the service, without the request line. Stays 0 for
   * a program on the client's own socket, as `bytesOut` does.
   */
  readonly bytesIn: number;
  /** Bytes from the service to the client, without the reply line. */
  readonly bytesOut: number;
  /** Milliseconds from acceptance to the record, with one decimal place. */
  readonly durationMs: number;
  /**
   * Milliseconds from acceptance until the service began, with one decimal
   * place; absent where none did.
   */
  readonly handshakeMs?: number;
  /** Why it ended so; empty where the outcome says it all. */
  readonly reason: string;
}

/** What a server tells, besides its records, to whoever counts. */
export interface Observer {
  /**
   * A listener could not accept a connection.
   *
   * @param code as the system calls it, such as `EMFILE`; where the runtime does
   * not say, the code of our error
   */
  acceptFailed(code: string): void;
  /** An upstream of a service has answered after so many milliseconds. */
  upstreamAnswered(service: string, upstream: Endpoint, time: number): void;
  /** An upstream of a service could not be reached, or is no such server. */
  upstreamFailed(service: string, upstream: Endpoint): void;
  /** A program of a service has exited, or was killed. */
  programExited(service: string, exit: Exit): void;
}

/** What a record is made of. */
export interface Recorded extends Counters {
  readonly id: number;
  readonly peer: Peer;
  /** The listener that accepted it. */
  readonly server: { readonly listener: string };
  readonly service: Service | undefined;
  readonly upstream: Endpoint | undefined;
  readonly requested: string | undefined;
  readonly namedBy: NamedBy | undefined;
  readonly uniqueId: string | undefined;
  /** When it was accepted, by `performance.now()`. */
  readonly begin: number;
  /** When its service began, by the same clock; 0 where none has. */
  readonly served: number;
}

/** What a record says of a client's certificate. */
function certificateFields(
  { subject, names, fingerprint }: PeerCertificate,
): Pick<ConnectionRecord, "subject" | "san" | "fingerprint"> {
  return {
    subject: nameText(subject),
    ...(names.length === 0 ? {} : { san: alternativeNamesText(names) }),
    fingerprint,
  };
}

/** How a connection ended. */
export interface Ended {
  readonly code: EndCode;
  readonly reason: string;
}

/** How a connection ended that this error has ended. */
export function endOf(error: unknown): Ended {
  const reason = messageOf(error);
  if (error instanceof MissedDeadline) return { code: error.key, reason };
  return { code: isDisconnect(error) ? "aborted" : "failed", reason };
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Makes the records: hands each to `onRecord`, and writes its line. */
export class Recorder {
  readonly #log: Log;
  readonly #onRecord: ((record: ConnectionRecord) => unknown) | undefined;

  /** @param onRecord its errors are logged, and have no other effect */
  constructor(
    log: Log,
    onRecord?: (record: ConnectionRecord) => unknown,
  ) {
    this.#log = log;
    this.#onRecord = onRecord;
  }

  /** The connection ends now. */
  record(
    session: Recorded,
    { code, reason }: Ended,
  ): void {
    const { id, peer, server, service, upstream, requested } = session;
    const { namedBy, uniqueId, bytesIn, bytesOut, begin, served } = session;
    const { via, tls } = peer;
    // What not every connection has comes last, in no object of its own: that
    // would take more time than all the rest.
    const record: Writable<ConnectionRecord> = {
      conn: id,
      remote: formatEndpoint(peer.remote),
      local: formatEndpoint(peer.local),
      listener: server.listener,
      service: service?.name ?? "",
      kind: service?.kind ?? "",
      outcome: OUTCOMES[code],
      code,
      bytesIn,
      bytesOut,
      durationMs: Math.round((performance.now() - begin) * 10) / 10,
      reason,
    };
    if (served > 0) {
      record.handshakeMs = Math.round((served - begin) * 10) / 10;
    }
    if (upstream !== undefined) record.upstream = formatEndpoint(upstream);
    if (requested !== undefined) record.requested = requested;
    if (namedBy !== undefined) record.namedBy = namedBy;
    if (via !== undefined) record.via = formatEndpoint(via);
    if (uniqueId !== undefined) record.uniqueId = uniqueId;
    if (tls !== undefined) record.tls = tls.protocol;
    if (tls?.sni !== undefined) record.sni = tls.sni;
    if (tls?.certificate !== undefined) {
      Object.assign(record, certificateFields(tls.certificate));
    }
    try {
      const handling = this.#onRecord?.(record);
      if (handling instanceof Promise) this.#follow(handling, record);
    } catch (error) {
      this.#failed(error, record);
    }
    this.#log("info", "connection", {
      conn: record.conn,
      remote: record.remote,
      local: record.local,
      via: record.via,
      unique_id: uniqueId,
      service: record.service,
      upstream: record.upstream,
      requested: record.requested,
      named_by: record.namedBy,
      kind: record.kind,
      tls: record.tls,
      sni: record.sni,
      subject: record.subject,
      san: record.san,
      fingerprint: record.fingerprint,
      outcome: record.outcome,
      code,
      bytes_in: record.bytesIn,
      bytes_out: record.bytesOut,
      duration_ms: record.durationMs,
      handshake_ms: record.handshakeMs,
      reason: record.reason === "" ? undefined : record.reason,
    });
  }

  async #follow(
    handling: Promise<unknown>,
    record: ConnectionRecord,
  ): Promise<void> {
    try {
      await handling;
    } catch (error) {
      this.#failed(error, record);
    }
  }

  #failed(error: unknown, { conn }: ConnectionRecord): void {
    this.#log("error", "onRecord threw", {
      conn,
      stack: stackOf(error),
    });
  }
}

/**
 * The same log, except that it never throws: a session must not break off
 * because a line cannot be logged. The first failure goes to standard error.
 */
export function steady(log: Log): Log {
  let hasFailed = false;
  return (level, message, fields) => {
    try {
      log(level, message, fields);
    } catch (error) {
      if (hasFailed) return;
      hasFailed = true;
      console.error("tcpmux: the log function threw an error:", error);
    }
  };
}
