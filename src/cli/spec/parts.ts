/** What several commands have: exit codes, signals, values and flags. */
import { ENDPOINT_FORMS } from "../../parse_endpoint.ts";
import { LOG_LEVELS } from "../../log.ts";
import type { FlagSpec, ReadableCommand, ValueSpec } from "../flags.ts";

export interface ExitCode {
  readonly code: number;
  readonly meaning: string;
}

export interface Example {
  readonly about: string;
  readonly lines: readonly string[];
}

export interface CommandSpec extends ReadableCommand {
  /** What it does, in a phrase. */
  readonly about: string;
  /** Where the order of the positionals does not say it. */
  readonly usages?: readonly string[];
  /** Paragraphs. */
  readonly description: readonly string[];
  /** Whether it runs until a signal stops it. */
  readonly isDaemon?: boolean;
  readonly exits: readonly ExitCode[];
  readonly examples: readonly Example[];
}

/** After sysexits(3) where it has one. */
export const EXIT_CODES = {
  done: { code: 0, meaning: "done, or stopped by a signal" },
  usage: { code: 64, meaning: "wrong usage" },
  noHost: { code: 68, meaning: "the host is not known" },
  refused: { code: 69, meaning: "the server refuses the service" },
  broken: {
    code: 74,
    meaning: "the connection failed or broke; cannot listen; cannot write",
  },
  busy: { code: 75, meaning: "the server is busy: try later" },
  protocol: { code: 76, meaning: "what answers is no TCPMUX server" },
  permission: {
    code: 77,
    meaning: "not permitted, as listening on port 1 may be",
  },
  config: { code: 78, meaning: "the table is wrong, or cannot be served here" },
  timedOut: { code: 124, meaning: "timed out" },
  interrupted: { code: 130, meaning: "`connect` was interrupted (SIGINT)" },
} as const satisfies Record<string, ExitCode>;

/** What monitoring calls the exit codes of its plugins. */
export const PROBE_STATES = {
  OK: { code: 0, meaning: "OK" },
  WARNING: { code: 1, meaning: "WARNING" },
  CRITICAL: {
    code: 2,
    meaning: "CRITICAL: refused, no answer in time, or host not known",
  },
  UNKNOWN: {
    code: 3,
    meaning: "UNKNOWN: nothing is known of the server, as after wrong usage",
  },
} as const satisfies Record<string, ExitCode>;

/** Of the commands that are daemons. */
export const SIGNALS = [
  {
    names: ["TERM", "INT"],
    about: "stops: accepts no more, and lets sessions end within " +
      "`drain_timeout`; a second one stops at once",
  },
  {
    names: ["HUP"],
    about: "reads the file again: all of it or, if it is wrong, nothing; " +
      "sessions under way keep their service",
  },
  { names: ["USR2"], about: "logs the state" },
] as const;

/** A command's flags with `--help`, which each has. */
export function flagsWithHelp({ flags }: CommandSpec): [string, FlagSpec][] {
  const help = { short: "h", about: "show what the command takes" };
  return [...Object.entries<FlagSpec>(flags), ["help", help]];
}

/** A flag as it is written: `-c`, `--config`. */
export function formsOf(long: string, { short }: FlagSpec): string[] {
  return [...short === undefined ? [] : [`-${short}`], `--${long}`];
}

const { done, usage, noHost, refused, broken, busy, protocol } = EXIT_CODES;
const { permission, timedOut } = EXIT_CODES;
export const DAEMON_EXITS = [
  { ...done, meaning: "stopped by a signal" },
  usage,
  { ...broken, meaning: "cannot listen" },
  permission,
];
export const CLIENT_EXITS = [
  { ...done, meaning: "done" },
  usage,
  noHost,
  refused,
  { ...broken, meaning: "the connection failed or broke; cannot write" },
  busy,
  protocol,
  timedOut,
];

export const TIME = {
  name: "TIME",
  kind: "duration",
  forms: "a whole number with a unit, as `500ms`, `10s`, `5m` or `1h`, or `0`",
} as const satisfies ValueSpec;
export const SECONDS = {
  name: "TIME",
  kind: "seconds",
  forms: "`0.5` (seconds), `500ms`, `10s` or `1m`",
} as const satisfies ValueSpec;
/** What stands for one byte each. */
export const ESCAPE_FORMS = "\\r \\n \\t \\\\ and \\xHH";
export const STRING = {
  name: "STRING",
  kind: "text",
  forms: `text in which ${ESCAPE_FORMS} stand for one byte each`,
} as const satisfies ValueSpec;
export const FILE = {
  name: "FILE",
  kind: "file",
  forms: "a path, or `-` for standard input",
} as const satisfies ValueSpec;

export const SERVER = {
  name: "HOST[:PORT]",
  kind: "host",
  about: "a server",
  forms: "HOST, HOST:PORT, [V6]:PORT, unix:/path or unix:@name; the port is " +
    "1 where none is given",
} as const;
export const LOCAL_ADDRESS_FORMS =
  "PORT (of 127.0.0.1; 0 for any that is free), " +
  ENDPOINT_FORMS;

/** A switch of the commands that read a table. */
export const STRICT_FLAG = {
  "no-strict-modes": {
    about: "take a FILE that others may change too, with a warning",
  },
} as const satisfies Record<string, FlagSpec>;

export const FAMILY_FLAGS = {
  ipv4: { short: "4", about: "use IPv4 only" },
  ipv6: { short: "6", about: "use IPv6 only" },
} as const satisfies Record<string, FlagSpec>;

export const CLIENT_FLAGS = {
  timeout: {
    short: "t",
    value: TIME,
    default: "10s and 30s",
    about: "longest wait for the connection, and again for the reply",
    details: "0 is no limit",
  },
  wait: {
    short: "w",
    value: TIME,
    default: "0",
    about: "keep trying for that long, until the server is up",
  },
  ...FAMILY_FLAGS,
} as const satisfies Record<string, FlagSpec>;

export const LOG_FLAGS = {
  "log-format": {
    value: { name: "FORMAT", kind: "choice", choices: ["text", "json"] },
    default: "text",
    about: "how log lines are written",
  },
  "log-level": {
    value: { name: "LEVEL", kind: "choice", choices: LOG_LEVELS },
    default: "info",
    about: "the least important lines that are logged",
  },
} as const satisfies Record<string, FlagSpec>;

export const LOCAL_FLAGS = {
  "connect-timeout": {
    value: TIME,
    default: "5s",
    about: "longest wait for the server, and again for its reply",
    details: "0 is no limit",
  },
  "idle-timeout": {
    value: TIME,
    default: "0, no limit",
    about: "longest time without a byte either way",
  },
  "drain-timeout": {
    value: TIME,
    default: "30s",
    about: "how long live connections may go on when it is stopped",
    details: "0 ends them at once",
  },
  "max-connections": {
    value: { name: "NUMBER", kind: "count" },
    default: "4096",
    about: "most connections at a time",
  },
  ...LOG_FLAGS,
} as const satisfies Record<string, FlagSpec>;
