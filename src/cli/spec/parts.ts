/** What several commands have: exit codes, signals, values and flags. */
import { ENDPOINT_FORMS } from "../../parse_endpoint.ts";
import { PIN_FORM } from "../../transport/net/tls/demands.ts";
import { LOG_FORMATS, LOG_LEVELS } from "../../log.ts";
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
  done: { code: 0, meaning: "success, or stopped by a signal" },
  usage: { code: 64, meaning: "wrong usage" },
  noHost: { code: 68, meaning: "the host name cannot be resolved" },
  refused: { code: 69, meaning: "the server refused the service" },
  broken: {
    code: 74,
    meaning: "the connection failed or broke; cannot listen; cannot write",
  },
  busy: { code: 75, meaning: "the server is busy; try again later" },
  protocol: {
    code: 76,
    meaning:
      "the other side is not a TCPMUX server, or only one side speaks TLS",
  },
  permission: {
    code: 77,
    meaning:
      "permission denied, for example to listen on port 1; by TLS, one " +
      "side does not accept the certificate of the other",
  },
  config: {
    code: 78,
    meaning: "the table has errors, or this machine cannot serve it",
  },
  timedOut: { code: 124, meaning: "timed out" },
  interrupted: { code: 130, meaning: "`connect` was interrupted (SIGINT)" },
} as const satisfies Record<string, ExitCode>;

/** What monitoring calls the exit codes of its plugins. */
export const PROBE_STATES = {
  OK: { code: 0, meaning: "OK" },
  WARNING: { code: 1, meaning: "WARNING" },
  CRITICAL: {
    code: 2,
    meaning: "CRITICAL: refused, no answer in time, or unknown host name",
  },
  UNKNOWN: {
    code: 3,
    meaning: "UNKNOWN: the probe itself failed, for example by wrong usage",
  },
} as const satisfies Record<string, ExitCode>;

/** Of the commands that are daemons. */
export const SIGNALS = [
  {
    names: ["TERM", "INT"],
    about: "stops accepting, and gives live sessions `drain_timeout` to end; " +
      "a second signal ends them at once",
  },
  {
    names: ["HUP"],
    about: "reloads the file; if it has errors, nothing changes; live " +
      "sessions keep their service",
  },
  {
    names: ["USR1"],
    about: "opens the log file again under its name, as after a rotation",
  },
  {
    names: ["USR2"],
    about: "logs the addresses and the number of sessions and services",
  },
] as const;

/** A command's flags with `--help`, which each has. */
export function flagsWithHelp({ flags }: CommandSpec): [string, FlagSpec][] {
  const help = { short: "h", about: "show this help" };
  return [...Object.entries<FlagSpec>(flags), ["help", help]];
}

/** A flag as it is written: `-c`, `--config`. */
export function formsOf(long: string, { short }: FlagSpec): string[] {
  return [...short === undefined ? [] : [`-${short}`], `--${long}`];
}

const { done, usage, noHost, refused, broken, busy, protocol } = EXIT_CODES;
const { permission, config, timedOut } = EXIT_CODES;
export const DAEMON_EXITS = [
  { ...done, meaning: "stopped by a signal" },
  usage,
  { ...broken, meaning: "cannot listen" },
  {
    ...permission,
    meaning: "permission denied, for example to listen on port 1",
  },
];
export const CLIENT_EXITS = [
  { ...done, meaning: "success" },
  usage,
  noHost,
  refused,
  { ...broken, meaning: "the connection failed or broke; cannot write" },
  busy,
  protocol,
  {
    ...permission,
    meaning: "by TLS, one side does not accept the certificate of the other",
  },
  { ...config, meaning: "`config.toml` has errors" },
  timedOut,
];

export const TIME = {
  name: "TIME",
  kind: "duration",
  forms: "a whole number with a unit, such as `500ms`, `10s`, `5m` or `1h`, " +
    "or `0`",
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
  forms: "HOST, HOST:PORT, [V6]:PORT, unix:/path, unix:@name, a URL such as " +
    "tcpmuxs://HOST:PORT, or a name from `~/.config/tcpmux/config.toml`; the " +
    "default port is 1, and 10001 with TLS",
} as const;
export const LOCAL_ADDRESS_FORMS =
  "PORT (on 127.0.0.1; 0 chooses a free port), " +
  ENDPOINT_FORMS;

/** A switch of the commands that read a table. */
export const STRICT_FLAG = {
  "no-strict-modes": {
    about: "accept a FILE that other users can write, with a warning",
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
    default: "10s to connect, then 30s for the reply",
    about: "time limit to connect, and again for the reply",
    details: "0 means no limit",
  },
  wait: {
    short: "w",
    value: TIME,
    default: "0, no retries",
    about: "retry for this long while the server is down or busy",
  },
  ...FAMILY_FLAGS,
} as const satisfies Record<string, FlagSpec>;

const PEM = {
  name: "PEM",
  kind: "file",
  forms: "the path of a file in PEM",
} as const satisfies ValueSpec;

export const TLS_FLAGS = {
  tls: {
    about: "connect by TLS",
    details: "a URL `tcpmuxs://HOST` and each of the next flags imply it",
  },
  ca: {
    value: PEM,
    default: "those that the runtime trusts",
    about: "trust the authorities in this file",
  },
  cert: {
    value: PEM,
    default: "none",
    about: "show this certificate to a server that demands one",
    details: "it needs `--key`",
  },
  key: {
    value: PEM,
    default: "none",
    about: "the private key of `--cert`",
  },
  "server-name": {
    value: { name: "NAME", kind: "text" },
    default: "the host",
    about: "the name that the server's certificate must have",
  },
  pin: {
    value: { name: "PIN", kind: "text", forms: PIN_FORM },
    default: "none",
    about: "demand this public key, as curl's `--pinnedpubkey` does",
    details: "without `--ca` it is the only demand",
  },
} as const satisfies Record<string, FlagSpec>;

export const LOG_FLAGS = {
  "log-format": {
    value: { name: "FORMAT", kind: "choice", choices: LOG_FORMATS },
    default: "text",
    about: "format of log lines",
  },
  "log-level": {
    value: { name: "LEVEL", kind: "choice", choices: LOG_LEVELS },
    default: "info",
    about: "lowest level that is logged",
  },
} as const satisfies Record<string, FlagSpec>;

export const LOCAL_FLAGS = {
  "connect-timeout": {
    value: TIME,
    default: "5s",
    about: "time limit to connect to the server and get its reply",
    details: "0 means no limit",
  },
  "idle-timeout": {
    value: TIME,
    default: "0, no limit",
    about: "end a connection after this long without a byte either way",
  },
  "drain-timeout": {
    value: TIME,
    default: "30s",
    about: "time that live connections get to end after a stop signal",
    details: "0 ends them at once",
  },
  "max-connections": {
    value: { name: "NUMBER", kind: "count" },
    default: "4096",
    about: "maximum number of connections at a time",
  },
  ...TLS_FLAGS,
  "proxy-protocol": {
    value: { name: "VERSION", kind: "choice", choices: ["1", "2"] },
    about: "announce each client's address to the server by a PROXY header",
    details: "the server must listen on `proxy://` and trust this machine; " +
      "version 2 has the service's name and a unique ID, too",
  },
  ...LOG_FLAGS,
} as const satisfies Record<string, FlagSpec>;
