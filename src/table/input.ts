/** The input of the library. Made by npm run generate. */
import type { Endpoint } from "../endpoint.ts";
import type { Duration } from "../units.ts";
import type { Handler } from "./service.ts";
import type { RemoteService } from "./written.ts";

/** A service table as objects: what a file would hold. */
export interface TableInput {
  /** The settings of the server itself. */
  server?: ServerInput;
  /** The services, each under its name. A function is a service too. */
  services?: Record<string, ServiceInput | HandlerInput | Handler>;
}

/** The settings of the server. */
export interface ServerInput {
  /**
   * The addresses to listen on. A host name stands for all of its addresses;
   * `[::]` takes IPv4 connections as well.
   *
   * Value: address, or list of addresses, each as text or as an `Endpoint`.
   *
   * Default: `"[::]:1"`, or port 1078 where port 1 is not permitted.
   */
  listen?: string | Endpoint | (string | Endpoint)[];
  /**
   * Whether `HELP` is answered with the names of the services.
   *
   * Value: `true` or `false`.
   *
   * @default true
   */
  help?: boolean;
  /**
   * The time within which a client must have sent its whole service line, from
   * accept on; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default "10s"
   */
  handshake_timeout?: Duration;
  /**
   * The time within which an upstream must answer; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default "5s"
   */
  connect_timeout?: Duration;
  /**
   * The time without a byte in either direction after which a session is ended;
   * `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default 0
   */
  idle_timeout?: Duration;
  /**
   * The time without a byte after which a session is ended if one of its sides
   * has ended already; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default "1h"
   */
  half_closed_timeout?: Duration;
  /**
   * The time after which a side is given up that takes no byte while bytes wait
   * for it in the server; `0` for no limit. Bytes that the operating system has
   * taken do not wait in the server: if they are never acknowledged, TCP gives
   * up after about 15 minutes.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default 0
   */
  stall_timeout?: Duration;
  /**
   * The time that the sessions under way get to end when the server stops; `0`
   * ends them at once.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default "30s"
   */
  drain_timeout?: Duration;
  /**
   * The time after which a session is ended, whatever moves; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default 0
   */
  max_duration?: Duration;
  /**
   * The most connections to services at a time. It is lowered, with a warning,
   * to fit the limit of open files.
   *
   * Value: a whole number from 1 to 1000000.
   *
   * @default 4096
   */
  max_connections?: number;
  /**
   * The most connections at a time that have not named a service yet. From
   * `START` of them on, `PERCENT` % of the new ones are refused, then more and
   * more of them, and at `FULL` all (as `MaxStartups` of sshd). A number alone
   * is `FULL`, below which none is refused.
   *
   * Value: a whole number, or "START:PERCENT:FULL" such as "512:30:1024".
   *
   * @default "512:30:1024"
   */
  max_handshakes?: number | string;
  /**
   * The most connections from one address at a time; `0` for no limit.
   *
   * Value: a whole number from 1 to 1000000, or 0 for no limit.
   *
   * @default 256
   */
  max_connections_per_source?: number;
  /**
   * The rate of new connections from one address.
   *
   * Value: a rate such as "50/s", "100/m" or "1000/h", or "50/s burst 200".
   *
   * Default: no limit.
   */
  rate_per_source?: string;
  /**
   * The first bits of an IPv6 address that count: addresses that begin with the
   * same ones are one address for all limits and penalties.
   *
   * Value: a whole number from 1 to 128.
   *
   * @default 64
   */
  ipv6_source_prefix?: number;
  /**
   * The clients that may use any service; if the list is empty, all but those
   * in `deny`.
   *
   * Value: list of addresses and prefixes.
   *
   * @default []
   */
  allow?: string[];
  /**
   * The clients that may use no service.
   *
   * Value: list of addresses and prefixes.
   *
   * @default []
   */
  deny?: string[];
  /**
   * The time zone of the `hours` of services.
   *
   * Value: a time zone such as "Europe/Berlin" or "UTC".
   *
   * Default: the system's.
   */
  time_zone?: string;
  /**
   * The penalties for sources that guess names, or do not finish their service
   * lines.
   */
  penalties?: PenaltiesInput;
  /** What is logged, and how. */
  log?: LogInput;
  /**
   * The address at which `tcpmux serve` shows itself by HTTP: a page, metrics,
   * and whether it is ready. There is no password: let it be one that others do
   * not reach, such as `127.0.0.1:9101`, or a Unix socket.
   *
   * Value: HOST:PORT, [V6]:PORT, unix:/path or unix:@name, or an `Endpoint`.
   *
   * Default: none.
   */
  admin?: string | Endpoint;
  /**
   * The names under which `admin` may be asked, besides addresses and
   * `localhost`; any other name is refused, since a web page may have it lead
   * here.
   *
   * Value: list of host names.
   *
   * @default []
   */
  admin_hosts?: string[];
  /**
   * The Unix socket of `tcpmux serve`, as `unix:/path`, for `tcpmux status`,
   * `reload`, `kill` and the like; only the server's user may use it. By
   * default `/run/tcpmux/control.sock`, else
   * `$XDG_RUNTIME_DIR/tcpmux/control.sock`, else none; `false` for none.
   *
   * Value: unix:/path, or false for none.
   *
   * Default: in `/run/tcpmux` or `$XDG_RUNTIME_DIR`.
   */
  control?: false | string;
}

/**
 * The penalties for sources that guess names, or do not finish their service
 * lines.
 */
export interface PenaltiesInput {
  /**
   * Whether there are penalties.
   *
   * Value: `true` or `false`.
   *
   * @default true
   */
  enabled?: boolean;
  /**
   * What a request for a service that does not exist, or that the client may
   * not use, adds to the account of its source; `0` for nothing.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default "2s"
   */
  unknown?: Duration;
  /**
   * What a service line that is malformed, or ends early, adds to the account;
   * `0` for nothing.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default "2s"
   */
  malformed?: Duration;
  /**
   * What a service line that is not complete within `handshake_timeout` adds to
   * the account; `0` for nothing.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default "10s"
   */
  unfinished?: Duration;
  /**
   * The account at which a source is refused, and the length of its first
   * refusal. Each further refusal is twice as long.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default "20s"
   */
  threshold?: Duration;
  /**
   * The longest refusal, and the time without an offence after which a source
   * counts as new.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default "10m"
   */
  max?: Duration;
  /**
   * The clients that never get a penalty; by default those on this machine.
   *
   * Value: list of addresses and prefixes.
   *
   * @default ["127.0.0.0/8", "::1"]
   */
  exempt?: string[];
}

/** What is logged, and how. */
export interface LogInput {
  /**
   * The least important level that is logged.
   *
   * Value: `"debug"`, `"info"`, `"warn"` or `"error"`.
   *
   * @default "info"
   */
  level?: "debug" | "info" | "warn" | "error";
  /**
   * The form of a log line: `key=value` text, or a JSON object.
   *
   * Value: `"text"` or `"json"`.
   *
   * @default "text"
   */
  format?: "text" | "json";
}

/** A service of any kind that a file can hold. */
export type ServiceInput =
  | BuiltinInput
  | ExecInput
  | ConnectInput
  | TcpmuxInput
  | TextInput;

/** The keys of every service. */
export interface CommonInput {
  /**
   * A description for people; clients do not get it.
   *
   * Value: text.
   *
   * @default ""
   */
  description?: string;
  /**
   * Other names of the service.
   *
   * Value: list of names.
   *
   * @default []
   */
  aliases?: string[];
  /**
   * Whether `HELP` names the service.
   *
   * Value: `true` or `false`.
   *
   * @default true
   */
  listed?: boolean;
  /**
   * Whether the service is offered at all.
   *
   * Value: `true` or `false`.
   *
   * @default true
   */
  enabled?: boolean;
  /**
   * The text behind the `+` of the reply: at most 500 printable ASCII
   * characters.
   *
   * Value: text.
   *
   * @default "Go"
   */
  message?: string;
  /**
   * The time without a byte in either direction after which a session is ended;
   * `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * Default: the server's.
   */
  idle_timeout?: Duration;
  /**
   * The time without a byte after which a session is ended if one of its sides
   * has ended already; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * Default: the server's.
   */
  half_closed_timeout?: Duration;
  /**
   * The time after which a side is given up that takes no byte while bytes wait
   * for it in the server; `0` for no limit. Bytes that the operating system has
   * taken do not wait in the server: if they are never acknowledged, TCP gives
   * up after about 15 minutes.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * Default: the server's.
   */
  stall_timeout?: Duration;
  /**
   * The time after which a session is ended, whatever moves; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * Default: the server's.
   */
  max_duration?: Duration;
  /**
   * The clients that may use the service, of those that may use the server; if
   * the list is empty, all but those in `deny`.
   *
   * Value: list of addresses and prefixes.
   *
   * @default []
   */
  allow?: string[];
  /**
   * The clients that may not use the service.
   *
   * Value: list of addresses and prefixes.
   *
   * @default []
   */
  deny?: string[];
  /**
   * When the service may be used, such as `"08:00-18:00"` or
   * `"mon-fri 22:00-06:00"`. Hours that end before they begin go past midnight,
   * and belong to the day on which they begin.
   *
   * Value: list of hours.
   *
   * Default: always.
   */
  hours?: string[];
  /**
   * The time zone of `hours`.
   *
   * Value: a time zone such as "Europe/Berlin" or "UTC".
   *
   * Default: the server's.
   */
  time_zone?: string;
  /**
   * The most connections to the service at a time; `0` for no limit.
   *
   * Value: a whole number from 1 to 1000000, or 0 for no limit.
   *
   * @default 0
   */
  max_connections?: number;
  /**
   * The most connections to the service from one address at a time; `0` for no
   * limit.
   *
   * Value: a whole number from 1 to 1000000, or 0 for no limit.
   *
   * @default 0
   */
  max_connections_per_source?: number;
  /**
   * The rate of new connections to the service.
   *
   * Value: a rate such as "50/s", "100/m" or "1000/h", or "50/s burst 200".
   *
   * Default: no limit.
   */
  rate?: string;
  /**
   * The time for which the service refuses all clients once `rate` was
   * exceeded; `0` refuses only those beyond the rate.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default 0
   */
  rate_pause?: Duration;
  /**
   * The rate of new connections to the service from one address.
   *
   * Value: a rate such as "50/s", "100/m" or "1000/h", or "50/s burst 200".
   *
   * Default: no limit.
   */
  rate_per_source?: string;
}

/** A service of the kind `builtin`. */
export interface BuiltinInput extends CommonInput {
  /**
   * A service of the server's own (RFC 862 to 868).
   *
   * Value: `"echo"`, `"discard"`, `"chargen"`, `"daytime"`, `"time"` or
   * `"qotd"`.
   */
  builtin: "echo" | "discard" | "chargen" | "daytime" | "time" | "qotd";
  /**
   * The texts of which `qotd` sends one at random, each of at most 512
   * characters.
   *
   * Value: list of texts.
   *
   * Default: the server's own.
   */
  quotes?: string[];
}

/** A service of the kind `exec`. */
export interface ExecInput extends CommonInput {
  /**
   * The program and its arguments, without a shell. It gets the connection as
   * its standard input and output.
   *
   * Value: list of texts.
   */
  exec: string[];
  /**
   * Who sends the `+` or `-` of the reply: the server, once the program runs,
   * or the program itself, as with `tcpmux/NAME` of inetd.
   *
   * Value: `"server"` or `"service"`.
   *
   * @default "server"
   */
  reply?: "server" | "service";
  /**
   * What the standard input and output of the program are: a socket pair to the
   * server, or the client's socket itself, as inetd(8) has it (on Bun and
   * Node).
   *
   * Value: `"pipe"` or `"socket"`.
   *
   * @default "pipe"
   */
  stdio?: "pipe" | "socket";
  /**
   * The user that the program runs as, in all groups of that user. The server
   * must be root.
   *
   * Value: the name of a user.
   *
   * Default: the server's.
   */
  user?: string;
  /**
   * The group that the program runs as.
   *
   * Value: the name of a group.
   *
   * Default: the user's.
   */
  group?: string;
  /**
   * How far the program gives way to others. Less than the server's own takes a
   * server that is root.
   *
   * Value: a whole number from -20 to 19.
   *
   * Default: the server's.
   */
  nice?: number;
  /**
   * The rights that the files which the program makes do not get.
   *
   * Value: three octal digits in quotes, such as "027".
   *
   * Default: the server's.
   */
  umask?: string;
  /** What the program may use of the machine. */
  rlimits?: RlimitsInput;
  /**
   * The working directory of the program, where its own path begins if it is
   * relative.
   *
   * Value: a folder.
   *
   * Default: the server's.
   */
  cwd?: string;
  /**
   * Variables of the program's environment, besides those that it always gets.
   *
   * Value: table of texts.
   *
   * @default {}
   */
  env?: Record<string, string>;
  /**
   * Variables that the program gets from the server's own environment.
   *
   * Value: list of names.
   *
   * @default []
   */
  passenv?: string[];
  /**
   * Where the standard error of the program goes: to the log, nowhere, or to
   * the client.
   *
   * Value: `"log"`, `"null"` or `"client"`.
   *
   * @default "log"
   */
  stderr?: "log" | "null" | "client";
  /**
   * What happens when the client has ended its side. With `eof` the program
   * reads the end of its input, and may go on. With `terminate`, for programs
   * that ignore that, it is ended after `kill_grace` too, and when the server
   * dies.
   *
   * Value: `"eof"` or `"terminate"`.
   *
   * @default "eof"
   */
  on_client_end?: "eof" | "terminate";
  /**
   * The time between SIGTERM and SIGKILL for a program whose client is gone,
   * and before SIGTERM with `on_client_end`; `0` for SIGKILL at once.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * @default "5s"
   */
  kill_grace?: Duration;
}

/** What the program may use of the machine. */
export interface RlimitsInput {
  /**
   * The open descriptors of a process (`RLIMIT_NOFILE`).
   *
   * Value: a whole number from 1 to 1000000000.
   *
   * Default: the server's.
   */
  files?: number;
  /**
   * The processes and threads of the user at a time, of all programs together
   * (`RLIMIT_NPROC`). Root has no such limit: set `user`.
   *
   * Value: a whole number from 1 to 4194304, or "unlimited".
   *
   * Default: the server's.
   */
  processes?: number | "unlimited";
  /**
   * The processor time of a process (`RLIMIT_CPU`). It gets SIGXCPU then, and
   * SIGKILL a second later.
   *
   * Value: a time of whole seconds such as "10s", "5m" or "1h", or "unlimited".
   *
   * Default: the server's.
   */
  cpu?: string;
  /**
   * The address space of a process (`RLIMIT_AS`).
   *
   * Value: a size such as "512B", "64KiB", "256MiB" or "2GiB", 0, or
   * "unlimited".
   *
   * Default: the server's.
   */
  memory?: 0 | string;
  /**
   * The memory that a process has allocated and may write to (`RLIMIT_DATA`).
   *
   * Value: a size such as "512B", "64KiB", "256MiB" or "2GiB", 0, or
   * "unlimited".
   *
   * Default: the server's.
   */
  data?: 0 | string;
  /**
   * The stack of a process (`RLIMIT_STACK`).
   *
   * Value: a size such as "512B", "64KiB", "256MiB" or "2GiB", 0, or
   * "unlimited".
   *
   * Default: the server's.
   */
  stack?: 0 | string;
  /**
   * The size of a file that a process writes (`RLIMIT_FSIZE`).
   *
   * Value: a size such as "512B", "64KiB", "256MiB" or "2GiB", 0, or
   * "unlimited".
   *
   * Default: the server's.
   */
  file_size?: 0 | string;
  /**
   * The size of a core dump (`RLIMIT_CORE`); `0` for none.
   *
   * Value: a size such as "512B", "64KiB", "256MiB" or "2GiB", 0, or
   * "unlimited".
   *
   * Default: the server's.
   */
  core?: 0 | string;
}

/** A service of the kind `connect`. */
export interface ConnectInput extends CommonInput {
  /**
   * The server that the connection is passed to; of a list, the first that
   * answers.
   *
   * Value: address, or list of addresses, each as text or as an `Endpoint`.
   */
  connect: string | Endpoint | (string | Endpoint)[];
  /**
   * When an upstream counts as answering: once it is connected to, or once it
   * has sent a byte within `connect_timeout`, as one that speaks first does
   * (ssh, SMTP, MySQL).
   *
   * Value: `"connected"` or `"first-byte"`.
   *
   * @default "connected"
   */
  ready?: "connected" | "first-byte";
  /**
   * The time within which an upstream must answer; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * Default: the server's.
   */
  connect_timeout?: Duration;
}

/** A service of the kind `tcpmux`. */
export interface TcpmuxInput extends CommonInput {
  /**
   * The service of another TCPMUX server, whose reply is passed on.
   *
   * Value: HOST:PORT/NAME or unix:/path/NAME.
   */
  tcpmux: string | RemoteService;
  /**
   * The time within which an upstream must answer; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0 for none, or a
   * number of milliseconds.
   *
   * Default: the server's.
   */
  connect_timeout?: Duration;
}

/** A service of the kind `text`. */
export interface TextInput extends CommonInput {
  /**
   * The text that a client gets.
   *
   * Value: text.
   */
  text: string;
}

/** A service that is a function. */
export interface HandlerInput extends CommonInput {
  /** The function that gets each connection. */
  handler: Handler;
}
