/** Room for clients: limits that fit the open files, the log of a full server. */
import { readFile } from "node:fs/promises";
import { Episode, type Log } from "../log.ts";
import { permitted } from "../transport/permission.ts";
import type { ServerLimits } from "./limit_settings.ts";
import { SERVER_FULL } from "./limits.ts";
import { fitted } from "./penalties.ts";
import type { Refusal } from "./refusal.ts";

/** The part of a service table that says what takes descriptors. */
interface DescriptorUsers {
  readonly server: {
    readonly limits: ServerLimits;
    readonly admin: unknown;
  };
  readonly services: readonly { readonly kind: keyof typeof EXTRA }[];
  readonly listeners: readonly unknown[];
}

/**
 * Descriptors that are kept for refusals, the log, look-ups, starting programs
 * and the runtime: half of all descriptors, within these bounds.
 */
const RESERVE = { least: 48, most: 192 };

/** Connections that the admin listener has at the most. */
export const ADMIN_CONNECTIONS = 80;

/** Descriptors that a connection to a service takes besides its own socket. */
const EXTRA = {
  builtin: 0,
  text: 0,
  handler: 0,
  connect: 1,
  tcpmux: 1,
  exec: 3,
} as const;

/**
 * The open-file limit of this process; undefined where it cannot be known.
 * Every runtime has raised it to the hard limit before we are asked.
 */
async function fileLimit(): Promise<number | undefined> {
  if (!permitted("read")) return undefined;
  try {
    const limits = await readFile("/proc/self/limits", "utf8");
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined; // another system has no such file; no limit is lowered
  }
}

/** One in so many descriptors is for clients that have not named a service. */
const HANDSHAKE_PART = 4;

/** The limits of a table's server, lowered to what this process may open. */
export async function limitsHere(
  table: DescriptorUsers,
  log: Log,
): Promise<ServerLimits> {
  const files = await fileLimit();
  return files === undefined
    ? table.server.limits
    : fittedTo(table, files, log);
}

/** The limits of a table's server, lowered so that the open files suffice. */
function fittedTo(
  table: DescriptorUsers,
  openFiles: number,
  log: Log,
): ServerLimits {
  const { limits } = table.server;
  const extra = table.services.map(({ kind }) => EXTRA[kind]);
  const each = 1 + Math.max(0, ...extra);
  const admin = table.server.admin === undefined ? 0 : ADMIN_CONNECTIONS;
  const files = openFiles - table.listeners.length - admin;
  const reserve = clamped(Math.floor(files / 2), RESERVE.least, RESERVE.most);
  const room = Math.max(2 * each, files - reserve);
  const wanted = limits.maxStartups.full + limits.maxConnections * each;
  if (wanted <= room) return limits;
  const part = Math.max(1, Math.floor(room / HANDSHAKE_PART));
  const maxStartups = fitted(limits.maxStartups, part);
  const most = Math.max(1, Math.floor((room - maxStartups.full) / each));
  const maxConnections = Math.min(limits.maxConnections, most);
  const spare = Math.floor((reserve - RESERVE.least) / 2);
  const maxRefusing = clamped(spare, 1, limits.maxRefusing);
  log("warn", "limits are lowered to fit the open-file limit", {
    open_files: openFiles,
    max_connections: maxConnections,
    max_handshakes: maxStartups.full,
  });
  return { ...limits, maxConnections, maxStartups, maxRefusing };
}

function clamped(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** Logs once that the server is full, and once that there is room again. */
export class FullnessLog {
  #episode: Episode;

  /** @param isRoomy whether there is room for more than one or two clients */
  constructor(isRoomy: () => boolean, log: Log) {
    this.#episode = new Episode({
      began: (reason) =>
        log("warn", "full: new clients are refused", { reason }),
      over: (refused) => log("info", "there is room again", { refused }),
      mayEnd: isRoomy,
    });
  }

  /** Counts the refusal of a new client, if the server refuses it as full. */
  note(refusal: Refusal): void {
    if (!SERVER_FULL.includes(refusal)) return;
    this.#episode.happened(refusal.reason);
  }

  /** The server stops: nothing is logged any more. */
  stop(): void {
    this.#episode.cancel();
  }
}
