import type { ServerTls } from "./handshake/tls_step.ts";
import type { ListNode } from "./linked_list.ts";
import type { Peer } from "./endpoint.ts";
import type { Slot } from "./policy/limits.ts";
import type { Ended, Recorded } from "./record.ts";
import type { Identity } from "./services/exec/identity.ts";
import type { SwitchedOff } from "./policy/decide.ts";
import type { ServerContext } from "./services/service.ts";
import type { ListenerSpec, Service } from "./table/service.ts";
import type { Table } from "./table/table.ts";

/** What all clients of one listener are served with, until a reload. */
export interface ListenerContext extends ServerContext {
  readonly table: Table;
  readonly identities: ReadonlyMap<Service, Identity>;
  readonly spec: ListenerSpec;
  /**
   * Counts a connection for the client that its proxy has announced, in place
   * of its slot so far. Undefined for a listener without the PROXY header.
   */
  readonly announced: ((slot: Slot, peer: Peer) => Slot) | undefined;
  /** What its clients begin TLS with; undefined where they do not. */
  readonly tls: ServerTls | undefined;
  /** Services that an administrator switches off and on, without a reload. */
  readonly switchedOff: SwitchedOff;
  /**
   * Called once for each session, when it has ended. The session is a
   * `ListNode` here, because importing `Session` would make a ring of imports.
   */
  readonly ended: (session: ListNode & Recorded, ended: Ended) => void;
}
