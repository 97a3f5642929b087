import type { ConnectionRecord, Observer } from "../../record.ts";
import type { Prepared } from "../../table/table.ts";
import type { Loaded } from "../load.ts";
import type { Rights } from "./privileges.ts";

/**
 * What stands beside the server for as long as it runs, by settings of the
 * table: an admin listener, a control socket, a watch on the table's files, the
 * notifications of systemd.
 */
export interface Companion {
  /**
   * Makes ready what the next table asks for, if it does, and changes nothing
   * yet.
   *
   * @throws {TcpmuxError} where it cannot be had: the table is refused then
   */
  prepare?(next: Loaded): Promise<Prepared | undefined> | Prepared;
  /** A reload begins. */
  reloading?(): void;
  /** The server, still root, becomes another user: what is its own goes along. */
  becoming?(rights: Rights): void;
  /** A reload has ended, with an error if the old table stays in force. */
  reloaded?(error: unknown): void;
  /** A connection has ended. */
  recorded?(record: ConnectionRecord): void;
  /** Told what records do not say. */
  readonly observer?: Observer;
  /** The server accepts no more, and sessions under way may end. */
  draining?(): void;
  /** The last session has ended. */
  close?(): Promise<void> | void;
}
