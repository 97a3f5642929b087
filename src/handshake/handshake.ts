import type { ClientConn } from "../client_conn.ts";
import type { Refusal } from "../policy/decide.ts";
import type { Service } from "../table/service.ts";
import type { Cancel } from "../transport/cancel.ts";

/**
 * What one client and the server say to each other before the service
 * begins. Each connection has one of its own.
 */
export interface Handshake {
  /** Learns what the client wants. What it sent behind that stays unread. */
  hear(client: ClientConn, patience: Patience): Promise<Heard>;
  /** The bytes for "the service begins"; may be none. */
  accepted(message: string): Uint8Array;
  /** The bytes for "it does not"; may be none. */
  refused(why: Refusal): Uint8Array;
}

/** How long a client is listened to before it has said what it wants. */
export interface Patience {
  /** Milliseconds for all of it; 0 for no limit. */
  readonly timeout: number;
  /** Aborted when the server stops meanwhile. */
  readonly draining: Cancel;
}

export type Heard =
  /** A name, which the table may know. */
  | { readonly kind: "request"; readonly name: string }
  /** There is no choice to make. */
  | { readonly kind: "serve"; readonly service: Service }
  | Refusal
  /** The client came and went without a word: a port scan, a health check. */
  | { readonly kind: "silence" };

/** Where there is nothing to say. */
export const NOTHING = new Uint8Array(0);
