import type { EndCode } from "../policy/ending.ts";
import type { ConnectionRecord } from "../record.ts";

/** Something that went wrong, once or many times alike. */
export interface Trouble {
  /** Empty where none was reached. */
  readonly service: string;
  readonly code: EndCode;
  readonly reason: string;
  /** Of the latest client. */
  readonly remote: string;
  /** The last time, in milliseconds since 1970. */
  readonly at: number;
  readonly times: number;
}

/** Troubles that are kept; the ones longest ago go first. */
const MOST = 50;

/** Characters of a reason. */
const LONGEST = 400;

/**
 * What an administrator can do something about. What strangers do is counted
 * and not listed: they would push out all else.
 */
const WORTH: readonly EndCode[] = [
  "backend_down",
  "backend_refused",
  "failed",
  "idle_timeout",
  "half_closed_timeout",
  "stall_timeout",
  "max_duration",
  "limit_global",
  "limit_service",
  "limit_source",
  "rate",
  "stopped",
];

/** The last errors in words, each with how often it came. */
export class Troubles {
  /** By what they are; the latest is the last. */
  readonly #known = new Map<string, Trouble>();
  /** Changes whenever they do. */
  version = 0;

  /** The latest first. */
  get list(): readonly Trouble[] {
    return [...this.#known.values()].reverse();
  }

  recorded(record: ConnectionRecord): void {
    const { service, code, remote } = record;
    // A program that has served may have exited with an error.
    const isWorth = code === "ok" ? record.reason !== "" : WORTH.includes(code);
    if (!isWorth) return;
    const reason = shortened(record.reason);
    const key = `${service} ${code} ${reason}`;
    const times = (this.#known.get(key)?.times ?? 0) + 1;
    this.#known.delete(key);
    this.#known.set(key, {
      service,
      code,
      reason,
      remote,
      at: Date.now(),
      times,
    });
    this.version++;
    if (this.#known.size <= MOST) return;
    const [oldest] = this.#known.keys();
    this.#known.delete(oldest!);
  }
}

function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
