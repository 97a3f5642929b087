/** The lines that xinetd writes: xinetd.log(5). */
import { constants } from "node:os";
import {
  bareLine,
  LOG_LEVELS,
  type LogFields,
  type LogLevel,
  type LogLine,
} from "../../log.ts";
import type { LogSettings } from "../../table/table.ts";

/** The name of a connection that has not come to a service. */
const NONE = "tcpmux";

const WORDS = {
  debug: "DEBUG",
  info: "NOTICE",
  warn: "WARNING",
  error: "ERROR",
} as const;

/** The number of a program whose beginning is not in the log. */
const UNKNOWN = 0;

/** The signal by which the server ends a program. */
const BY_SERVER = "SIGTERM";

/** Why there is no service, in xinetd's words, by the code of the record. */
const REASONS: Readonly<Record<string, string>> = {
  denied: "address",
  closed_hours: "time",
  limit_service: "service_limit",
  limit_source: "per_source_limit",
  limit_global: "process_limit",
};

/**
 * Whether a log has the beginning and the end of each session, in this format.
 * Where it has not, what is known of those under way must be forgotten: nobody
 * is told of their end.
 */
export function showsSessions(
  { format, level }: Pick<LogSettings, "format" | "level">,
): boolean {
  return format === "xinetd" &&
    LOG_LEVELS.indexOf(level) <= LOG_LEVELS.indexOf("info");
}

/** A log in the format of xinetd. */
export class XinetdLines {
  /** The number of its program, of each session that is under way. */
  readonly #begun = new Map<unknown, unknown>();

  /** The beginning of a session matters here as much as its end. */
  levelOf(level: LogLevel, message: string): LogLevel {
    return message === "session" ? "info" : level;
  }

  /** A line with its time, as in a file. */
  line(line: LogLine): string {
    const { time } = line;
    const date = [
      String(time.getFullYear() % 100).padStart(2, "0"),
      time.getMonth() + 1,
      time.getDate(),
    ].join("/");
    const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
      .map((number) => String(number).padStart(2, "0")).join(":");
    return `${date}@${clock}: ${this.body(line)}`;
  }

  /** The same without time. */
  body(line: LogLine): string {
    const { message, fields } = line;
    if (message === "session") return this.#started(fields);
    if (message === "connection") return this.#ended(fields);
    return `${WORDS[line.level]}: ${bareLine(line)}`;
  }

  #started({ conn, service, remote, pid = 0 }: LogFields): string {
    this.#begun.set(conn, pid);
    return startLine(service, pid, remote);
  }

  #ended(fields: LogFields): string {
    const { handshake_ms, outcome, remote, via, service = "" } = fields;
    if (handshake_ms !== undefined) return this.#exit(fields);
    const name = service === "" ? NONE : service;
    if (outcome === "help") return startLine(name, 0, remote);
    // Behind a proxy there is nobody whom fail2ban could keep away.
    const proxy = via === undefined ? "" : ` via=${hostOf(via)}`;
    return `FAIL: ${name} ${reasonOf(fields)} from=${hostOf(remote)}${proxy}\n`;
  }

  #exit(fields: LogFields): string {
    const { conn, service, duration_ms } = fields;
    const pid = this.#begun.get(conn) ?? UNKNOWN;
    this.#begun.delete(conn);
    const seconds = Math.floor(Number(duration_ms) / 1000);
    return `EXIT: ${service} ${statusOf(fields, pid)} pid=${pid} ` +
      `duration=${seconds}(sec)\n`;
  }
}

function startLine(service: unknown, pid: unknown, remote: unknown): string {
  return `START: ${service} pid=${pid} from=${hostOf(remote)}\n`;
}

/** How its program ended, or one that there might have been. */
function statusOf({ outcome, reason = "" }: LogFields, pid: unknown): string {
  const [, status] = /^the program exited with status (\d+)$/
    .exec(String(reason)) ?? [];
  if (status !== undefined) return `status=${status}`;
  const [, killer] = /^the program was killed by (SIG\w+)$/
    .exec(String(reason)) ?? [];
  const isGood = outcome === "served";
  const signal = killer ?? (!isGood && pid !== 0 ? BY_SERVER : undefined);
  if (signal === undefined) return `status=${isGood ? 0 : 1}`;
  return `signal=${constants.signals[signal as NodeJS.Signals]}`;
}

function reasonOf({ code = "", outcome }: LogFields): string {
  return REASONS[String(code)] ?? String(outcome);
}

/** The address of a client without its port. */
function hostOf(remote: unknown): string {
  return String(remote).replace(/^unix:.*/, "unix")
    .replace(/^\[?(.*?)\]?:\d+$/, "$1");
}
