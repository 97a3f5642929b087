import type { ClientConn } from "../client_conn.ts";
import type { Endpoint } from "../endpoint.ts";
import type { Log } from "../log.ts";
import type { Refusal } from "../policy/decide.ts";
import type { Told } from "../relay.ts";
import type { Ending } from "../transport/cancel.ts";
import type { Conn, Transport } from "../transport/transport.ts";

/** A service that is ready: its program runs, its upstream has answered. */
export interface Opened {
  readonly kind: "opened";
  /** Behind the `+`; undefined where the service replies by itself. */
  readonly message: string | undefined;
  /** What the service says first, if that is known: it goes with the reply. */
  readonly first?: Uint8Array | undefined;
  /**
   * Serves to the end. Whoever calls finishes the client's connection.
   *
   * @param told when it is over, by what goes on without a promise
   * @returns a promise of what is worth a note in the log, if anything is; it
   * rejects with a {@linkcode TcpmuxError} when a side broke off
   */
  serve(client: ClientConn, told: Told): Promise<string | void> | Ongoing;
  /** Lets go of it, in place of `serve`. */
  discard(): Promise<void> | void;
}

/** A service that is being served without a promise, which takes memory. */
export interface Ongoing {
  /** Ends it at once. */
  end(): void;
}

/** Opens one kind of service; a service that cannot be opened is refused. */
export type Opening = Promise<Opened | Refusal>;

/** What a service may know of the server, for whoever comes in one way. */
export interface Premises {
  readonly transport: Transport;
  readonly log: Log;
  /** The listener that they come through, as text. */
  readonly listener: string;
  /** A variable of the server's own environment, where it may be read. */
  readonly getEnv: (name: string) => string | undefined;
}

/** What a service may know of the session that it is opened for. */
export interface ServiceContext {
  readonly premises: Premises;
  /** The number of the connection. */
  readonly id: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Live connections of the same source, this one included. */
  readonly fromSource: number;
  /** Comes when the session must end at once. */
  readonly ending: Ending;
  /** Told of each connection to an upstream, once it is under way. */
  readonly dialling: (to: Endpoint, upstream: Promise<Conn>) => void;
}
