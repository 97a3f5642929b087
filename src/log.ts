/** What the server logs: levels, fields, and how a line is written. */
import { setTimeout } from "node:timers";
import type { Endpoint } from "./endpoint.ts";
import { readEndpoint } from "./parse_endpoint.ts";

/** How much a line of the log matters. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** All levels, least first. */
export const LOG_LEVELS = [
  "debug",
  "info",
  "warn",
  "error",
] as const satisfies readonly LogLevel[];

/** The levels as syslog(3) and sd-daemon(3) number them. */
export const SEVERITIES: Readonly<Record<LogLevel, number>> = {
  debug: 7,
  info: 6,
  warn: 4,
  error: 3,
};

/** How lines of a log can be written. */
export const LOG_FORMATS = ["text", "json", "xinetd"] as const;

export type LogFormat = (typeof LOG_FORMATS)[number];

/** Where the log goes. */
export type LogTo =
  | { readonly kind: "stderr" }
  | { readonly kind: "file"; readonly path: string }
  | SyslogTo;

export interface SyslogTo {
  readonly kind: "syslog";
  readonly by: "unix" | "udp" | "tcp";
  readonly endpoint: Endpoint;
}

/** The forms of where a log goes, for messages. */
export const LOG_TO_FORMS = '"stderr", an absolute path, "syslog", ' +
  '"syslog:unix:/path", "syslog:udp://HOST:PORT" or "syslog:tcp://HOST:PORT"';

/** The port of syslog where none is written: RFC 5426; by custom for TCP too. */
const SYSLOG_PORT = 514;

/** Where a log goes, or what is wrong with the text. */
export function readLogTo(text: string): LogTo | string {
  if (text === "stderr") return { kind: "stderr" };
  if (text === "syslog") return readSyslogTo("unix:/dev/log");
  if (text.startsWith("syslog:")) {
    return readSyslogTo(text.slice("syslog:".length));
  }
  if (!text.startsWith("/")) return "a path begins with /";
  if (text.endsWith("/")) return "it is the path of a directory";
  return text.includes("\0")
    ? "text without NUL bytes"
    : { kind: "file", path: text };
}

function readSyslogTo(text: string): LogTo | string {
  const [, by, address] = /^(udp|tcp):\/\/(.*)$/s.exec(text) ??
    [text, "unix" as const, text];
  if (by === "unix" && !address!.startsWith("unix:")) {
    return "syslog: must be followed by unix:, udp:// or tcp://";
  }
  const endpoint = readEndpoint(address!, SYSLOG_PORT);
  if (typeof endpoint === "string") return endpoint;
  if (by !== "unix" && endpoint.transport === "unix") {
    return `${by}:// must be followed by HOST:PORT`;
  }
  return endpoint.transport === "tcp" && endpoint.port === 0
    ? "a port is from 1 to 65535"
    : { kind: "syslog", by: by as "unix" | "udp" | "tcp", endpoint };
}

/** The fields of a log line; those that are undefined are left out. */
export type LogFields = Readonly<
  Record<string, string | number | boolean | undefined>
>;

/** Writes one line of the log. It is passed in: nothing logs in another way. */
export type Log = (
  level: LogLevel,
  message: string,
  fields?: LogFields,
) => void;

/** One line of the log, before it is written in one format or the other. */
export interface LogLine {
  readonly time: Date;
  /** The time as text, as ISO 8601 has it: many lines share one. */
  readonly stamp: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** The levels, each as wide as the others. */
const COLUMN = {
  debug: "debug",
  info: "info ",
  warn: "warn ",
  error: "error",
} as const satisfies Record<LogLevel, string>;

/** `TIME LEVEL message key=value…`, values quoted where they need it. */
export function textLine(line: LogLine): string {
  return `${line.stamp} ${COLUMN[line.level]} ${bareLine(line)}`;
}

/** The same without time and level. */
export function bareLine(
  { message, fields }: Pick<LogLine, "message" | "fields">,
): string {
  let line = message;
  for (const key in fields) {
    const value = fields[key];
    if (value === undefined || value === "") continue;
    const text = typeof value === "string" ? textValue(value) : value;
    line = `${line} ${key}=${text}`;
  }
  return `${line}\n`;
}

/** One JSON object. */
export function jsonLine({ stamp, level, message, fields }: LogLine): string {
  const object = { time: stamp, level, message, ...fields };
  return `${escaped(JSON.stringify(object))}\n`;
}

function textValue(text: string): string {
  return /^[\x21\x23-\x7e]+$/.test(text) ? text : escaped(JSON.stringify(text));
}

/** JSON's escapes for all that a terminal obeys, reorders or does not show. */
export function escaped(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu,
    (char) => char.split("").map(escape).join(""),
  );
}

function escape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The text with all that is not printable ASCII as escapes. */
export function visible(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, escapeOf);
}

export function escapeOf(character: string): string {
  const hex = character.codePointAt(0)!.toString(16).padStart(2, "0");
  return hex.length === 2 ? `\\x${hex}` : `\\u{${hex}}`;
}

/** Milliseconds without an event after which an episode may be over. */
const QUIET = 1000;

export interface EpisodeOptions {
  /** Called at the first event of an episode. */
  readonly began: (reason: string) => void;
  /**
   * Called when the episode is over.
   *
   * @param times how many events it had
   */
  readonly over: (times: number) => void;
  /** Whether the episode may end now; by default it may. */
  readonly mayEnd?: () => boolean;
}

/**
 * Many events of one kind in a row, of which only the beginning and the end are
 * logged.
 */
export class Episode {
  #options: EpisodeOptions;
  #times = 0;
  #last = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: EpisodeOptions) {
    this.#options = options;
  }

  /** Counts an event, which begins an episode if none is under way. */
  happened(reason: string): void {
    this.#last = performance.now();
    if (this.#times++ > 0) return;
    this.#options.began(reason);
    this.#wait();
  }

  /** Ends the episode without a call of `over`. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#times = 0;
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.#look(), QUIET);
    this.#timer.unref(); // the timer does not keep the program running
  }

  #look(): void {
    const isQuiet = performance.now() - this.#last >= QUIET;
    if (!isQuiet || this.#options.mayEnd?.() === false) return this.#wait();
    const times = this.#times;
    this.#times = 0;
    this.#options.over(times);
  }
}
