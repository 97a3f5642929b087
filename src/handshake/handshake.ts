import type { Refusal } from "../policy/refusal.ts";
import type { NamedBy } from "../record.ts";
import type { Service } from "../table/service.ts";

/**
 * What one client and the server say to each other before the service begins.
 * Each connection has a handshake of its own. It takes and gives bytes; it
 * neither reads nor writes.
 */
export interface Handshake {
  /** The refusal for a handshake that takes too long. */
  readonly tooSlow: Refusal;
  /**
   * Takes the next bytes; null stands for the end of the input. The first call
   * has those that came behind a step before the request, mostly none. It is not
   * called again after anything but `more` or `answer`.
   */
  push(bytes: Uint8Array | null): HandshakeState;
  /** The bytes that say that the service begins; may be none. */
  acceptance(message: string): Uint8Array;
  /** The bytes that say that the client is refused; may be none. */
  rejection(why: Refusal): Uint8Array;
}

export type HandshakeState =
  | { readonly kind: "more" }
  /** To be written; then `push` is called without bytes. */
  | { readonly kind: "answer"; readonly bytes: Uint8Array }
  | HandshakeResult;

/** What a handshake has led to. */
export type HandshakeResult =
  /** A name, which the table may know. */
  | NamedRequest
  /** The listener has chosen the service; the table is not asked. */
  | ChosenService
  | Refusal
  /** The client sent nothing before it left: a port scan, a health check. */
  | { readonly kind: "silence" };

export interface NamedRequest {
  readonly kind: "name";
  readonly name: string;
  /** By what, where it was not by a service line. */
  readonly by?: NamedBy;
  /** Bytes that the client has sent behind its request. */
  readonly early: Uint8Array;
}

export interface ChosenService {
  readonly kind: "service";
  readonly service: Service;
  /** The name that the client has asked for, where it is not the service's. */
  readonly requested?: string;
  /** Bytes that the client has sent behind its request. */
  readonly early: Uint8Array;
}
