import type { ConnectionRecord } from "../../record.ts";
import type { Loaded } from "../load.ts";

/** What a companion has made ready for a table that is to come into force. */
export interface Prepared {
  /** The table is in force now. */
  commit(): void;
  /** The table is not coming into force: nothing has changed. */
  undo(): void;
}

/**
 * What stands beside the server for as long as it runs, by settings of the
 * table: an admin listener, a control socket, a watch on the table's files, the
 * notifications of systemd.
 */
export interface Companion {
  /**
   * Makes ready what the next table asks for, and changes nothing yet.
   *
   * @throws {TcpmuxError} where it cannot be had: the table is refused then
   */
  prepare?(next: Loaded): Promise<Prepared>;
  /** A reload begins. */
  reloading?(): void;
  /** A reload has ended, with an error if the old table stays in force. */
  reloaded?(error: unknown): void;
  /** A connection has ended. */
  recorded?(record: ConnectionRecord): void;
  /** The server accepts no more, and sessions under way may end. */
  draining?(): void;
  /** The last session has ended. */
  close?(): Promise<void> | void;
}
