import type { Endpoint, Peer } from "../endpoint.ts";
import type { Log } from "../log.ts";
import type { Observer } from "../record.ts";
import type { Refusal } from "../policy/refusal.ts";
import type { ConnectService, TcpmuxService } from "../table/service.ts";
import type { HandshakeTime } from "../transport/net/tls/demands.ts";
import type { GetEnv } from "../transport/permission.ts";
import type { Conn, Transport } from "../transport/transport.ts";

/** What a service may know of the server and of the client's listener. */
export interface ServerContext {
  readonly transport: Transport;
  readonly log: Log;
  /** The address of the listener that accepted the client, as text. */
  readonly listener: string;
  /** A variable of the server's own environment, where it may be read. */
  readonly getEnv: GetEnv;
  /** Whether the server has begun to stop. */
  readonly isStopping: () => boolean;
  /** Says what a program has left behind out of its process group. */
  readonly leavers: { ended(program: EndedProgram): void };
  /** Who counts what happens; undefined where nobody does. */
  readonly observer: Observer | undefined;
  /** Who begins TLS with upstreams; undefined where no service wants it. */
  readonly upstreamTls: UpstreamTls | undefined;
}

/** Who begins TLS with upstreams, by the files that are in force. */
export interface UpstreamTls {
  /** Closes the connection where it rejects, with a `TcpmuxError`. */
  secure(
    conn: Conn,
    service: ConnectService | TcpmuxService,
    endpoint: Endpoint,
    time: HandshakeTime,
  ): Promise<Conn>;
}

/** A program whose process group is gone. */
export interface EndedProgram {
  /** The number of its connection. */
  readonly conn: number;
  readonly service: string;
  readonly listener: string;
  /** When it was started, in milliseconds since 1970. */
  readonly began: number;
}

/** What a session is waiting for. */
export interface Held {
  /** Ends it at once. */
  abort(): void;
  /** The server begins to stop; also called where it has begun already. */
  stopping?(): void;
}

/** What a service may know of the session that it is opened for. */
export interface SessionContext {
  readonly server: ServerContext;
  /** The number of the connection, as in the log. */
  readonly id: number;
  /** Who is at the other end, for access, logs and programs. */
  readonly peer: Peer;
  /** The name that a client of a proxy asked for; undefined for all others. */
  readonly requested: string | undefined;
  /** Live connections of the same source, this one included. */
  readonly fromSource: number;
  /** Bytes that the client has sent behind its request already. */
  readonly early: Uint8Array;
  /** Bytes of the service that were sent to the client so far. */
  readonly bytesOut: number;
  /** Where its service has connected to; undefined where it has not. */
  upstream: Endpoint | undefined;
  /** By which its proxy and its upstream name it; undefined where none does. */
  uniqueId: string | undefined;
  /** Whether the session must end at once. */
  readonly isStopped: boolean;
  /**
   * Remembers what to abort when the session must end at once, in place of what
   * was held before; aborts it right away if that is so already.
   */
  hold(held: Held): void;
}

/**
 * The result of opening a service: the service, or a refusal where it cannot
 * be opened. It rejects only with errors that are bugs.
 */
export type Opening = Promise<OpenedService | Refusal>;

/**
 * A service that is ready: its program runs, its upstream has answered. It is
 * served as it is, or begins behind the reply.
 */
export type OpenedService = PreparedService | Opened & RunningService;

interface Opened {
  readonly kind: "opened";
  /** The text behind the `+`; undefined where the service itself replies. */
  readonly message: string | undefined;
  /** The service's first bytes, where they are known: sent with the reply. */
  readonly first?: Uint8Array | undefined;
}

/** A service that begins once the reply has been written to the client. */
export interface PreparedService extends Opened {
  /** Ends it before it has begun. */
  abort(): Promise<void> | void;
  begin(client: Conn): RunningService | Promise<RunningService>;
}

/** A service that is being served. */
export interface RunningService extends Held {
  /** The other side of the relay; undefined where there is nothing to relay. */
  readonly conn: Conn | undefined;
  /** Of its program. */
  readonly pid?: number;
  /** Resolves when the service takes no input any more: its program has exited. */
  readonly inputOver?: Promise<void> | undefined;
  /**
   * Waits for what is left of the service after the relay, also after one that
   * failed. Resolves in bounded time once `abort` has been called.
   *
   * @returns what is worth a note in the record; empty for nothing
   */
  finish?(): Promise<string>;
  /** Whether the service goes on until the client leaves: no failure then. */
  readonly endsWithClient?: boolean;
}
