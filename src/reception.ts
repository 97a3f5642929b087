import type { Link } from "./chain.ts";
import type { Passes } from "./passes.ts";
import type { ConnectionRecord } from "./record.ts";
import type { Identity } from "./services/identity.ts";
import type { Premises } from "./services/opened.ts";
import type { Door } from "./table/door.ts";
import type { Service } from "./table/service.ts";
import type { Table } from "./table/table.ts";

/** What all who come through one listener are served with, until a reload. */
export interface Reception extends Premises {
  readonly table: Table;
  readonly identities: ReadonlyMap<Service, Identity>;
  readonly door: Door;
  readonly passes: Passes;
  /** Called once for each, when it is all over. */
  readonly ended: (session: Link, record: ConnectionRecord) => void;
}
