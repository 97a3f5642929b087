import type { Log } from "../log.ts";
import type { Listener, Transport } from "../transport/transport.ts";

/** A socket that listens for a listener of the table. */
export interface BoundListener {
  /** By what it is bound to, a reload finds it again. */
  readonly key: string;
  readonly listener: Listener;
  /** Whether it was bound just now. */
  readonly isNew: boolean;
}

/** What binding works with. */
export interface BinderOptions {
  readonly transport: Transport;
  readonly log: Log;
  /** A variable of the environment, where it may be read. */
  readonly getEnv: (name: string) => string | undefined;
}

/** The listeners that are bound already, by their keys. */
export type OpenListeners = ReadonlyMap<
  string,
  { readonly listener: Listener }
>;
