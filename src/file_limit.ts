import { readFile } from "node:fs/promises";
import type { Service } from "./table/service.ts";
import type { Table } from "./table/table.ts";
import { permitted } from "./transport/permission.ts";

/** Descriptors for listeners, the log, look-ups, refusals and the runtime. */
const RESERVE = 192;

/** Descriptors that a connection to a service takes besides its own socket. */
const EXTRA: Record<Service["kind"], number> = {
  builtin: 0,
  text: 0,
  handler: 0,
  connect: 1,
  tcpmux: 1,
  exec: 3,
};

/**
 * The open-file limit of this process; undefined where it cannot be known.
 * Every runtime has raised it to the hard limit before we are asked.
 */
export async function fileLimit(): Promise<number | undefined> {
  if (!permitted("read")) return undefined;
  try {
    const limits = await readFile("/proc/self/limits", "utf8");
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined; // no such file: another system, which has no cap then
  }
}

/** As many connections as a table may have under that limit. */
export function connectionCap(table: Table, limit: number): number {
  const extra = table.services.map((service) => EXTRA[service.kind]);
  const each = 1 + Math.max(0, ...extra);
  return Math.max(1, Math.floor((limit - RESERVE) / each));
}
