import type { ListNode } from "./linked_list.ts";
import type { Passes } from "./passes.ts";
import type { ConnectionRecord } from "./record.ts";
import type { Identity } from "./services/exec/identity.ts";
import type { Premises } from "./services/opened.ts";
import type { ListenerSpec } from "./table/listener.ts";
import type { Service } from "./table/service.ts";
import type { Table } from "./table/table.ts";

/** What all who come through one listener are served with, until a reload. */
export interface Reception extends Premises {
  readonly table: Table;
  readonly identities: ReadonlyMap<Service, Identity>;
  readonly door: ListenerSpec;
  readonly passes: Passes;
  /** Called once for each, when it is all over. */
  readonly ended: (session: ListNode, record: ConnectionRecord) => void;
}
