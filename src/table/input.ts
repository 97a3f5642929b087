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
   * `[::]` accepts IPv4 connections too. `systemd` stands for all sockets that
   * systemd has opened for the server, and `systemd:NAME` for those whose unit
   * has `FileDescriptorName=NAME`. Behind `proxy://`, as in `proxy://[::]:1`,
   * every connection must begin with the header of the PROXY protocol, version
   * 1 or 2; behind `tls://`, with TLS by `[server.tls]`; behind `proxy+tls://`,
   * with both. With `tls-or-plain` in place of `tls`, clients may begin TLS or
   * not.
   *
   * Value: address, or list of addresses, each as text or as an `Endpoint`.
   *
   * Default: `"[::]:1"`, or port 1078 where port 1 is not permitted.
   */
  listen?: string | Endpoint | (string | Endpoint)[];
  /**
   * The user that the server becomes, for good and in all groups of that user,
   * once it has bound its addresses. It must have been started as root. Only a
   * restart changes it.
   *
   * Value: the name of a user.
   *
   * Default: the one that starts it.
   */
  user?: string;
  /**
   * The group that the server gets with `user`.
   *
   * Value: the name of a group.
   *
   * Default: the user's.
   */
  group?: string;
  /**
   * Whether `HELP` is answered with the names of the services.
   *
   * Value: `true` or `false`.
   *
   * @default true
   */
  help?: boolean;
  /**
   * The time limit for a client to send its complete service line, counted from
   * accept; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default "10s"
   */
  handshake_timeout?: Duration;
  /**
   * The time within which an upstream must answer; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default "5s"
   */
  connect_timeout?: Duration;
  /**
   * A session ends after this time without a byte in either direction; `0` for
   * no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default 0
   */
  idle_timeout?: Duration;
  /**
   * A session that is half-closed (one side has closed its sending side) ends
   * after this time without a byte; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default "1h"
   */
  half_closed_timeout?: Duration;
  /**
   * A session ends if one side accepts no byte for this time while the server
   * holds bytes for it; `0` for no limit. Bytes that the operating system has
   * accepted do not count: if they are never acknowledged, TCP gives up after
   * about 15 minutes. It accepts them in steps of some 100 KB: less than a
   * minute ends slow lines.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default 0
   */
  stall_timeout?: Duration;
  /**
   * The time that live sessions get to end when the server stops; `0` ends them
   * at once.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default "30s"
   */
  drain_timeout?: Duration;
  /**
   * A session ends after this time, even while bytes flow; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default 0
   */
  max_duration?: Duration;
  /**
   * The maximum number of connections to services at a time. It is lowered,
   * with a warning, to fit the open-file limit.
   *
   * Value: a whole number from 1 to 1000000.
   *
   * @default 4096
   */
  max_connections?: number;
  /**
   * The limit on connections that have not named a service yet, like
   * `MaxStartups` of sshd. From `START` such connections on, `PERCENT` % of the
   * new ones are refused at random. The percentage rises with their number, to
   * 100 % at `FULL`. A single number is `FULL`; below it, none is refused.
   *
   * Value: a whole number, or "START:PERCENT:FULL" such as "512:30:1024".
   *
   * @default "512:30:1024"
   */
  max_handshakes?: number | string;
  /**
   * The maximum number of connections from one address at a time; `0` for no
   * limit.
   *
   * Value: a whole number from 1 to 1000000, or 0 for no limit.
   *
   * @default 256
   */
  max_connections_per_source?: number;
  /**
   * The maximum rate of new connections from one address.
   *
   * Value: a rate such as "50/s", "100/m" or "1000/h", or "50/s burst 200".
   *
   * Default: no limit.
   */
  rate_per_source?: string;
  /**
   * The number of leading bits that identify the source of an IPv6 connection:
   * addresses that share them count as one address for limits and penalties.
   *
   * Value: a whole number from 1 to 128.
   *
   * @default 64
   */
  ipv6_source_prefix?: number;
  /**
   * The clients that may use the server. If the list is empty, all clients may,
   * except those in `deny`.
   *
   * Value: list of addresses and prefixes.
   *
   * @default []
   */
  allow?: string[];
  /**
   * The clients that may not use the server.
   *
   * Value: list of addresses and prefixes.
   *
   * @default []
   */
  deny?: string[];
  /**
   * The clients that may use the server, by a name in their certificate; all
   * listeners must ask for one then. If the list is empty, all may.
   *
   * Value: list of names in certificates.
   *
   * @default []
   */
  allow_certificate?: string[];
  /**
   * The proxies whose PROXY header is accepted at `proxy://` addresses, which
   * need this key: they say which address a client has, for access, limits and
   * the log. Any other connection there is closed.
   *
   * Value: list of addresses and prefixes.
   *
   * @default []
   */
  trusted_proxies?: string[];
  /**
   * The time zone of the `hours` of services.
   *
   * Value: a time zone such as "Europe/Berlin" or "UTC".
   *
   * Default: the system's.
   */
  time_zone?: string;
  /**
   * Penalties for sources that guess names or do not finish their service
   * lines.
   */
  penalties?: PenaltiesInput;
  /** What is logged, how, and where to; in the library, by its option `log`. */
  log?: LogInput;
  /**
   * The certificates of listeners that speak TLS, `tls://ADDRESS`.
   *
   * Default: none.
   */
  tls?: TlsInput;
  /**
   * Services for clients that do not know TCPMUX: the key is what they send
   * first, and the value the name of the service, such as `"SSH-" = "ssh"`. The
   * service gets these bytes too, and the client no reply. Of several keys the
   * longest counts. Each character of a key, up to U+00FF, stands for one byte.
   *
   * @default {}
   */
  first_bytes?: Record<string, string>;
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
  /**
   * Whether the table is read again by itself when its file has changed, or one
   * that it includes, or the files that a pattern matches.
   *
   * Value: `true` or `false`.
   *
   * @default false
   */
  watch?: boolean;
}

/**
 * Penalties for sources that guess names or do not finish their service lines.
 */
export interface PenaltiesInput {
  /**
   * Whether sources get penalties.
   *
   * Value: `true` or `false`.
   *
   * @default true
   */
  enabled?: boolean;
  /**
   * How much a request for an unknown or forbidden service adds to the score of
   * its source; `0` for nothing.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default "2s"
   */
  unknown?: Duration;
  /**
   * How much a service line that is malformed or cut short adds to the score;
   * `0` for nothing.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default "2s"
   */
  malformed?: Duration;
  /**
   * How much a service line that is not complete within `handshake_timeout`
   * adds to the score; `0` for nothing.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default "10s"
   */
  unfinished?: Duration;
  /**
   * The score at which a source is refused, and the duration of the first
   * refusal. Each further refusal lasts twice as long.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default "20s"
   */
  threshold?: Duration;
  /**
   * The longest duration of a refusal. After the same time without an offence,
   * the earlier refusals of a source are forgotten.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default "10m"
   */
  max?: Duration;
  /**
   * Clients that never get a penalty; by default those on this machine.
   *
   * Value: list of addresses and prefixes.
   *
   * @default ["127.0.0.0/8", "::1"]
   */
  exempt?: string[];
}

/** What is logged, how, and where to; in the library, by its option `log`. */
export interface LogInput {
  /**
   * The lowest level that is logged.
   *
   * Value: `"debug"`, `"info"`, `"warn"` or `"error"`.
   *
   * @default "info"
   */
  level?: "debug" | "info" | "warn" | "error";
  /**
   * The format of a log line: `key=value` text, a JSON object, or the lines
   * that xinetd writes.
   *
   * Value: `"text"`, `"json"` or `"xinetd"`.
   *
   * @default "text"
   */
  format?: "text" | "json" | "xinetd";
  /**
   * Where the log goes: to standard error, to the end of a file, which is
   * opened again at SIGUSR1 and at a reload, or to syslog: `syslog` is that of
   * this machine, at `/dev/log`; `syslog:unix:/path`, `syslog:udp://HOST:PORT`
   * and `syslog:tcp://HOST:PORT` are others. The port is 514 where none is
   * written.
   *
   * Value: "stderr", an absolute path, "syslog", "syslog:unix:/path",
   * "syslog:udp://HOST:PORT" or "syslog:tcp://HOST:PORT".
   *
   * @default "stderr"
   */
  to?: string;
  /**
   * The format of messages to syslog: RFC 5424 with each field as structured
   * data, or what syslog(3) of the C library writes, which is all that journald
   * and rsyslog understand by default on a Unix socket.
   *
   * Value: `"rfc5424"` or `"rfc3164"`.
   *
   * Default: `rfc3164` for a Unix socket, else `rfc5424`.
   */
  syslog_format?: "rfc5424" | "rfc3164";
}

/** The certificates of listeners that speak TLS, `tls://ADDRESS`. */
export interface TlsInput {
  /**
   * The file of the certificate in PEM, followed by those of the authorities
   * between it and the one that clients trust. A path begins where the table
   * is; a name without a slash is first looked for among the credentials that
   * systemd hands over (`LoadCredential=`).
   *
   * Value: path of a file.
   */
  cert: string;
  /**
   * The file of its private key in PEM, without a password.
   *
   * Value: path of a file.
   */
  key: string;
  /**
   * More certificates, each a table `[[server.tls.certificates]]` with `cert`
   * and `key`. A client gets the one that has the name that it asks for (SNI)
   * among its DNS names, where `*` stands for one label; else the first of all.
   *
   * Value: list of tables.
   *
   * @default []
   */
  certificates?: CertificatesInput[];
  /**
   * The lowest version of TLS that is spoken.
   *
   * Value: `"1.2"` or `"1.3"`.
   *
   * @default "1.2"
   */
  min_version?: "1.2" | "1.3";
  /**
   * Whether a client is refused that does not ask for the protocol `tcpmux`
   * (ALPN). One that asks for other protocols alone is always refused, unless
   * it names a service by `sni_names`.
   *
   * Value: `true` or `false`.
   *
   * @default false
   */
  require_alpn?: boolean;
  /**
   * Domains whose hosts name services, for clients that know TLS alone: one
   * that means `NAME.DOMAIN` (SNI), or a host that is called as a service or an
   * alias, gets that service, without a service line and a reply; an unknown
   * NAME is refused by TLS. Any other host, such as DOMAIN itself, and a client
   * that asks for the protocol `tcpmux` (ALPN), is served as without this key.
   * `true` is for any domain: where the first label is no service's name, the
   * client is served as without this key, too.
   *
   * Value: a list of host names, or true or false.
   *
   * @default false
   */
  sni_names?: boolean | string[];
  /**
   * The file, in PEM, of the authorities (CA) that sign the certificates of
   * clients; found as `cert` is. List those between a client's certificate and
   * the CA too.
   *
   * Value: path of a file.
   *
   * Default: none.
   */
  client_ca?: string;
  /**
   * Whether clients are asked for a certificate. With `required`, who shows
   * none is refused; with `optional`, it is nobody for `allow_certificate`. A
   * certificate that is not good is refused with both: of another CA, expired,
   * not yet valid, revoked, for servers only.
   *
   * Value: `"none"`, `"optional"` or `"required"`.
   *
   * Default: `required` with `client_ca`, else `none`.
   */
  client_certificate?: "none" | "optional" | "required";
  /**
   * The file, in PEM, of the lists of revoked certificates (CRL), one of each
   * authority in `client_ca`; found as `cert` is. When a list has ended, all
   * certificates of that authority are refused.
   *
   * Value: path of a file.
   *
   * Default: none.
   */
  crl?: string;
}

/** A certificate and its key. */
export interface CertificatesInput {
  /**
   * The file of the certificate in PEM, followed by those of the authorities
   * between it and the one that clients trust. A path begins where the table
   * is; a name without a slash is first looked for among the credentials that
   * systemd hands over (`LoadCredential=`).
   *
   * Value: path of a file.
   */
  cert: string;
  /**
   * The file of its private key in PEM, without a password.
   *
   * Value: path of a file.
   */
  key: string;
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
   * Whether `HELP` lists the service.
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
   * The protocols that clients may ask for (ALPN) that name the service by
   * `server.tls.sni_names`, such as `"postgresql"`. If the list is empty, they
   * may ask for any, and none is agreed on.
   *
   * Value: list of protocols.
   *
   * @default []
   */
  alpn?: string[];
  /**
   * The text after the `+` of the reply: at most 500 printable ASCII
   * characters.
   *
   * Value: text.
   *
   * @default "Go"
   */
  message?: string;
  /**
   * A session ends after this time without a byte in either direction; `0` for
   * no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * Default: the server's.
   */
  idle_timeout?: Duration;
  /**
   * A session that is half-closed (one side has closed its sending side) ends
   * after this time without a byte; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * Default: the server's.
   */
  half_closed_timeout?: Duration;
  /**
   * A session ends if one side accepts no byte for this time while the server
   * holds bytes for it; `0` for no limit. Bytes that the operating system has
   * accepted do not count: if they are never acknowledged, TCP gives up after
   * about 15 minutes. It accepts them in steps of some 100 KB: less than a
   * minute ends slow lines.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * Default: the server's.
   */
  stall_timeout?: Duration;
  /**
   * A session ends after this time, even while bytes flow; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * Default: the server's.
   */
  max_duration?: Duration;
  /**
   * The clients that may use the service, if they may use the server at all. If
   * the list is empty, all of these may, except those in `deny`.
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
   * The clients that may use the service, by a name in their certificate: an
   * attribute of the subject (`CN=alice`) or an alternative name (`SAN:dns:`,
   * `SAN:uri:`, `SAN:email:`, `SAN:ip:`). `*` stands for the whole first label
   * of a DNS name, or a whole segment of a URI's path. If the list is empty,
   * all may. `allow` and `hours` must let them in too.
   *
   * Value: list of names in certificates.
   *
   * @default []
   */
  allow_certificate?: string[];
  /**
   * When the service may be used, such as `"08:00-18:00"` or
   * `"mon-fri 22:00-06:00"`. A range that ends before it begins goes past
   * midnight; it belongs to the day on which it begins.
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
   * The maximum number of connections to the service at a time; `0` for no
   * limit.
   *
   * Value: a whole number from 1 to 1000000, or 0 for no limit.
   *
   * @default 0
   */
  max_connections?: number;
  /**
   * The maximum number of connections to the service from one address at a
   * time; `0` for no limit.
   *
   * Value: a whole number from 1 to 1000000, or 0 for no limit.
   *
   * @default 0
   */
  max_connections_per_source?: number;
  /**
   * The maximum rate of new connections to the service.
   *
   * Value: a rate such as "50/s", "100/m" or "1000/h", or "50/s burst 200".
   *
   * Default: no limit.
   */
  rate?: string;
  /**
   * How long the service refuses all clients after `rate` was exceeded; with
   * `0` it refuses only the excess.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default 0
   */
  rate_pause?: Duration;
  /**
   * The maximum rate of new connections to the service from one address.
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
   * A built-in service (RFC 862 to 868).
   *
   * Value: `"echo"`, `"discard"`, `"chargen"`, `"daytime"`, `"time"` or
   * `"qotd"`.
   */
  builtin: "echo" | "discard" | "chargen" | "daytime" | "time" | "qotd";
  /**
   * The texts from which `qotd` picks one at random; each has at most 512
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
   * The program and its arguments; no shell is used. The connection is its
   * standard input and output.
   *
   * Value: list of texts.
   */
  exec: string[];
  /**
   * Who sends the reply, `+` or `-`: `"server"`, the server, once the program
   * runs; `"service"`, the program itself, as with `tcpmux/NAME` of inetd.
   *
   * Value: `"server"` or `"service"`.
   *
   * @default "server"
   */
  reply?: "server" | "service";
  /**
   * The standard input and output of the program: `"pipe"`, a socket pair to
   * the server; `"socket"`, the client's socket itself, as with inetd(8) (Bun
   * and Node only).
   *
   * Value: `"pipe"` or `"socket"`.
   *
   * @default "pipe"
   */
  stdio?: "pipe" | "socket";
  /**
   * The user that the program runs as, with all groups of that user. The server
   * must run as root.
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
   * The nice value of the program: with a higher value it gets less processor
   * time. Only a server that runs as root can go below its own value.
   *
   * Value: a whole number from -20 to 19.
   *
   * Default: the server's.
   */
  nice?: number;
  /**
   * The permission bits that are masked off the files that the program creates.
   *
   * Value: three octal digits in quotes, such as "027".
   *
   * Default: the server's.
   */
  umask?: string;
  /** Resource limits of the program. */
  rlimits?: RlimitsInput;
  /**
   * The working directory of the program. A relative path of the program itself
   * starts here too.
   *
   * Value: the path of a directory.
   *
   * Default: the server's.
   */
  cwd?: string;
  /**
   * Variables that are added to the program's environment.
   *
   * Value: table of texts.
   *
   * @default {}
   */
  env?: Record<string, string>;
  /**
   * Names of variables that the program gets from the server's environment.
   *
   * Value: list of names.
   *
   * @default []
   */
  passenv?: string[];
  /**
   * Where the standard error of the program goes: `"log"`, to the log;
   * `"null"`, nowhere; `"client"`, to the client.
   *
   * Value: `"log"`, `"null"` or `"client"`.
   *
   * @default "log"
   */
  stderr?: "log" | "null" | "client";
  /**
   * What happens when the client closes its sending side. With `"eof"` the
   * program reads the end of its input and may go on. With `"terminate"`, for
   * programs that ignore the end of their input, the server also ends it after
   * `kill_grace`. Such a program gets SIGTERM, too, when the server dies.
   *
   * Value: `"eof"` or `"terminate"`.
   *
   * @default "eof"
   */
  on_client_end?: "eof" | "terminate";
  /**
   * The time between SIGTERM and SIGKILL when the server ends a program; `0`
   * sends SIGKILL at once. With `on_client_end`, also the time between the end
   * of the input and SIGTERM.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * @default "5s"
   */
  kill_grace?: Duration;
}

/** Resource limits of the program. */
export interface RlimitsInput {
  /**
   * The maximum number of open descriptors of a process (`RLIMIT_NOFILE`).
   *
   * Value: a whole number from 1 to 1000000000.
   *
   * Default: the server's.
   */
  files?: number;
  /**
   * The maximum number of processes and threads of the user, all programs
   * together (`RLIMIT_NPROC`). It does not apply to root: set `user`.
   *
   * Value: a whole number from 1 to 4194304, or "unlimited".
   *
   * Default: the server's.
   */
  processes?: number | "unlimited";
  /**
   * The maximum processor time of a process (`RLIMIT_CPU`). After it the
   * process gets SIGXCPU, and SIGKILL a second later.
   *
   * Value: a time of whole seconds such as "10s", "5m" or "1h", or "unlimited".
   *
   * Default: the server's.
   */
  cpu?: string;
  /**
   * The maximum address space of a process (`RLIMIT_AS`).
   *
   * Value: a size such as "512B", "64KiB", "256MiB" or "2GiB", 0, or
   * "unlimited".
   *
   * Default: the server's.
   */
  memory?: 0 | string;
  /**
   * The maximum data memory of a process: what it allocates and can write to
   * (`RLIMIT_DATA`).
   *
   * Value: a size such as "512B", "64KiB", "256MiB" or "2GiB", 0, or
   * "unlimited".
   *
   * Default: the server's.
   */
  data?: 0 | string;
  /**
   * The maximum stack of a process (`RLIMIT_STACK`).
   *
   * Value: a size such as "512B", "64KiB", "256MiB" or "2GiB", 0, or
   * "unlimited".
   *
   * Default: the server's.
   */
  stack?: 0 | string;
  /**
   * The maximum size of a file that a process writes (`RLIMIT_FSIZE`).
   *
   * Value: a size such as "512B", "64KiB", "256MiB" or "2GiB", 0, or
   * "unlimited".
   *
   * Default: the server's.
   */
  file_size?: 0 | string;
  /**
   * The maximum size of a core dump (`RLIMIT_CORE`); `0` for none.
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
   * The server to which connections are passed on. If it is a list, the first
   * address that answers is used.
   *
   * Value: address, or list of addresses, each as text or as an `Endpoint`.
   */
  connect: string | Endpoint | (string | Endpoint)[];
  /**
   * When an upstream is ready: `"connected"`, as soon as it accepts the
   * connection; `"first-byte"`, when it has sent a byte within
   * `connect_timeout`, for servers that speak first (ssh, SMTP, MySQL).
   *
   * Value: `"connected"` or `"first-byte"`.
   *
   * @default "connected"
   */
  ready?: "connected" | "first-byte";
  /**
   * The time within which an upstream must answer; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * Default: the server's.
   */
  connect_timeout?: Duration;
  /**
   * Whether TLS is spoken with the server, and whom it must be. The handshake
   * is within `connect_timeout`.
   *
   * Value: `true`, or table.
   *
   * Default: `false`.
   */
  tls?: boolean | UpstreamTlsInput;
  /**
   * The version of the PROXY protocol: each connection to the server begins
   * with its header, by which that learns the client's address. Version 2 also
   * has the service's name (AUTHORITY), a unique ID that the log has as
   * `unique_id`, and a checksum.
   *
   * Value: 1 or 2.
   *
   * Default: none.
   */
  proxy_protocol?: 1 | 2;
}

/** TLS with a server. */
export interface UpstreamTlsInput {
  /**
   * The file of the certificates in PEM of the authorities that are trusted. A
   * path begins where the table is; a name without a slash is first looked for
   * among the credentials that systemd hands over.
   *
   * Value: path of a file.
   *
   * Default: those that the runtime trusts.
   */
  ca?: string;
  /**
   * The file of our own certificate in PEM, for a server that demands one,
   * followed by those between it and the one that the server trusts. It needs
   * `key`.
   *
   * Value: path of a file.
   *
   * Default: none.
   */
  cert?: string;
  /**
   * The file of the private key of `cert` in PEM, without a password.
   *
   * Value: path of a file.
   *
   * Default: none.
   */
  key?: string;
  /**
   * The name or the address that the server's certificate must have. A name is
   * also what the server is asked for (SNI).
   *
   * Value: host name, or address.
   *
   * Default: the host that is connected to.
   */
  server_name?: string;
  /**
   * The hash of the server's public key, as curl's `--pinnedpubkey` has it, or
   * several with `;` between them, of which one must fit. Beside `ca` it is one
   * more demand; without `ca` it is the only one.
   *
   * Value: sha256//BASE64, the hash of a public key, or several with ; between
   * them.
   *
   * Default: none.
   */
  pin?: string;
  /**
   * Whether the server must have a certificate of an authority that is trusted,
   * for its name. With `false` anybody can be the server, unless `pin` is
   * given.
   *
   * Value: `true` or `false`.
   *
   * @default true
   */
  verify?: boolean;
}

/** A service of the kind `tcpmux`. */
export interface TcpmuxInput extends CommonInput {
  /**
   * A service of another TCPMUX server. Its reply is passed on. In a URL,
   * `tcpmux://` or, for TLS, `tcpmuxs://`, the name has %-escapes.
   *
   * Value: HOST:PORT/NAME, unix:/path/NAME or tcpmuxs://HOST:PORT/NAME.
   */
  tcpmux: string | RemoteService;
  /**
   * The time within which an upstream must answer; `0` for no limit.
   *
   * Value: a duration such as "500ms", "10s", "5m" or "1h", or 0, or a number
   * of milliseconds.
   *
   * Default: the server's.
   */
  connect_timeout?: Duration;
  /**
   * Whether TLS is spoken with the server, and whom it must be. The handshake
   * is within `connect_timeout`.
   *
   * Value: `true`, or table.
   *
   * Default: `false`.
   */
  tls?: boolean | UpstreamTlsInput;
  /**
   * The version of the PROXY protocol: each connection to the server begins
   * with its header, by which that learns the client's address. Version 2 also
   * has the service's name (AUTHORITY), a unique ID that the log has as
   * `unique_id`, and a checksum.
   *
   * Value: 1 or 2.
   *
   * Default: none.
   */
  proxy_protocol?: 1 | 2;
}

/** A service of the kind `text`. */
export interface TextInput extends CommonInput {
  /**
   * The text that is sent to the client.
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
