/** Every key of `[server]`: its value, its default and its description. */
import { LOG_FORMATS, LOG_LEVELS } from "../log.ts";
import { optional, preset, table } from "./keys.ts";
import { firstBytesSchema } from "./steps/first_bytes.ts";
import { allowCertificate, tlsSchema } from "./steps/server_tls.ts";
import {
  addresses,
  choice,
  controlSocket,
  duration,
  endpoint,
  flag,
  hostName,
  limit,
  listenAddress,
  listOf,
  logTo,
  maxStartups,
  name,
  oneOrMore,
  proxyVersion,
  rate,
  timeZone,
  wholeNumber,
} from "./values.ts";

/** Descriptions of the keys that services and forwards have as well. */
export const TIMES = {
  connect_timeout:
    "The time within which an upstream must answer; `0` for no limit.",
  idle_timeout:
    "A session ends after this time without a byte in either direction; `0` " +
    "for no limit.",
  half_closed_timeout:
    "A session that is half-closed (one side has closed its sending side) " +
    "ends after this time without a byte; `0` for no limit.",
  stall_timeout:
    "A session ends if one side accepts no byte for this time while the " +
    "server holds bytes for it; `0` for no limit. Bytes that the operating " +
    "system has accepted do not count: if they are never acknowledged, TCP " +
    "gives up after about 15 minutes. It accepts them in steps of some " +
    "100 KB: less than a minute ends slow lines.",
  max_duration:
    "A session ends after this time, even while bytes flow; `0` for no limit.",
};

/** The key of services that lead to another server. */
export const proxyProtocol = optional(
  proxyVersion(),
  "none",
  "The version of the PROXY protocol: each connection to the server begins " +
    "with its header, by which that learns the client's address. Version 2 " +
    "also has the service's name (AUTHORITY), a unique ID that the log has " +
    "as `unique_id`, and a checksum.",
);

/** The times without bytes: nobody can tell them who does not see the bytes. */
export const RELAY_TIMES = [
  "idle_timeout",
  "half_closed_timeout",
  "stall_timeout",
] as const;

/** These times; `servers` says in words what holds where one is left out. */
export function relayTimes(servers: string) {
  const all = RELAY_TIMES.map((key) =>
    [key, optional(duration(), servers, TIMES[key])] as const
  );
  type Time = (typeof all)[number][1];
  return Object.fromEntries(all) as Record<(typeof RELAY_TIMES)[number], Time>;
}

const logSchema = table({
  level: preset(
    choice(LOG_LEVELS),
    "info",
    "The lowest level that is logged.",
  ),
  format: preset(
    choice(LOG_FORMATS),
    "text",
    "The format of a log line: `key=value` text, a JSON object, or the lines " +
      "that xinetd writes.",
  ),
  to: preset(
    logTo(),
    "stderr",
    "Where the log goes: to standard error, to the end of a file, which is " +
      "opened again at SIGUSR1 and at a reload, or to syslog: `syslog` is " +
      "that of this machine, at `/dev/log`; `syslog:unix:/path`, " +
      "`syslog:udp://HOST:PORT` and `syslog:tcp://HOST:PORT` are others. The " +
      "port is 514 where none is written.",
  ),
  syslog_format: optional(
    choice(["rfc5424", "rfc3164"]),
    "`rfc3164` for a Unix socket, else `rfc5424`",
    "The format of messages to syslog: RFC 5424 with each field as " +
      "structured data, or what syslog(3) of the C library writes, which is " +
      "all that journald and rsyslog understand by default on a Unix socket.",
  ),
}, "a table such as [server.log]");

const penaltiesSchema = table({
  enabled: preset(flag(), true, "Whether sources get penalties."),
  unknown: preset(
    duration(),
    "2s",
    "How much a request for an unknown or forbidden service adds to the " +
      "score of its source; `0` for nothing.",
  ),
  malformed: preset(
    duration(),
    "2s",
    "How much a service line that is malformed or cut short adds to the " +
      "score; `0` for nothing.",
  ),
  unfinished: preset(
    duration(),
    "10s",
    "How much a service line that is not complete within " +
      "`handshake_timeout` adds to the score; `0` for nothing.",
  ),
  threshold: preset(
    duration(),
    "20s",
    "The score at which a source is refused, and the duration of the first " +
      "refusal. Each further refusal lasts twice as long.",
  ),
  max: preset(
    duration(),
    "10m",
    "The longest duration of a refusal. After the same time without an " +
      "offence, the earlier refusals of a source are forgotten.",
  ),
  exempt: preset(
    addresses(),
    ["127.0.0.0/8", "::1"],
    "Clients that never get a penalty; by default those on this machine.",
  ),
}, "a table such as [server.penalties]");

export const serverSchema = table({
  listen: optional(
    oneOrMore(listenAddress()),
    '`"[::]:1"`, or port 1078 where port 1 is not permitted',
    "The addresses to listen on. A host name stands for all of its addresses; " +
      "`[::]` accepts IPv4 connections too. `systemd` stands for all sockets " +
      "that systemd has opened for the server, and `systemd:NAME` for those " +
      "whose unit has `FileDescriptorName=NAME`. Behind `proxy://`, as in " +
      "`proxy://[::]:1`, every connection must begin with the header of the " +
      "PROXY protocol, version 1 or 2; behind `tls://`, with TLS by " +
      "`[server.tls]`; behind `proxy+tls://`, with both. " +
      "With `tls-or-plain` in place of `tls`, clients may begin TLS or not.",
  ),
  user: optional(
    name("the name of a user"),
    "the one that starts it",
    "The user that the server becomes, for good and in all groups of that " +
      "user, once it has bound its addresses. It must have been started as " +
      "root. Only a restart changes it.",
  ),
  group: optional(
    name("the name of a group"),
    "the user's",
    "The group that the server gets with `user`.",
  ),
  help: preset(
    flag(),
    true,
    "Whether `HELP` is answered with the names of the services.",
  ),
  handshake_timeout: preset(
    duration(),
    "10s",
    "The time limit for a client to send its complete service line, counted " +
      "from accept; `0` for no limit.",
  ),
  connect_timeout: preset(duration(), "5s", TIMES.connect_timeout),
  idle_timeout: preset(duration(), 0, TIMES.idle_timeout),
  half_closed_timeout: preset(duration(), "1h", TIMES.half_closed_timeout),
  stall_timeout: preset(duration(), 0, TIMES.stall_timeout),
  drain_timeout: preset(
    duration(),
    "30s",
    "The time that live sessions get to end when the server stops; `0` ends " +
      "them at once.",
  ),
  max_duration: preset(duration(), 0, TIMES.max_duration),
  max_connections: preset(
    wholeNumber(1, 1_000_000, "connections"),
    4096,
    "The maximum number of connections to services at a time. It is lowered, " +
      "with a warning, to fit the open-file limit.",
  ),
  max_handshakes: preset(
    maxStartups(),
    "512:30:1024",
    "The limit on connections that have not named a service yet, like " +
      "`MaxStartups` of sshd. From `START` such connections on, `PERCENT` % of " +
      "the new ones are refused at random. The percentage rises with their " +
      "number, to 100 % at `FULL`. A single number is `FULL`; below it, none " +
      "is refused.",
  ),
  max_connections_per_source: preset(
    limit("connections"),
    256,
    "The maximum number of connections from one address at a time; `0` for " +
      "no limit.",
  ),
  rate_per_source: optional(
    rate(),
    "no limit",
    "The maximum rate of new connections from one address.",
  ),
  ipv6_source_prefix: preset(
    wholeNumber(1, 128, "bits"),
    64,
    "The number of leading bits that identify the source of an IPv6 " +
      "connection: addresses that share them count as one address for limits " +
      "and penalties.",
  ),
  allow: preset(
    addresses(),
    [],
    "The clients that may use the server. If the list is empty, all clients " +
      "may, except those in `deny`.",
  ),
  deny: preset(addresses(), [], "The clients that may not use the server."),
  allow_certificate: allowCertificate(
    "The clients that may use the server, by a name in their certificate; all " +
      "listeners must ask for one then. If the list is empty, all may.",
  ),
  trusted_proxies: preset(
    addresses(),
    [],
    "The proxies whose PROXY header is accepted at `proxy://` addresses, which " +
      "need this key: they say which address a client has, for access, limits " +
      "and the log. Any other connection there is closed.",
  ),
  time_zone: optional(
    timeZone(),
    "the system's",
    "The time zone of the `hours` of services.",
  ),
  penalties: preset(
    penaltiesSchema,
    {},
    "Penalties for sources that guess names or do not finish their service " +
      "lines.",
  ),
  log: preset(
    logSchema,
    {},
    "What is logged, how, and where to; in the library, by its option `log`.",
  ),
  tls: optional(
    tlsSchema,
    "none",
    "The certificates of listeners that speak TLS, `tls://ADDRESS`.",
  ),
  first_bytes: preset(
    firstBytesSchema,
    {},
    "Services for clients that do not know TCPMUX: the key is what they send " +
      'first, and the value the name of the service, such as `"SSH-" = "ssh"`. ' +
      "The service gets these bytes too, and the client no reply. Of several " +
      "keys the longest counts. Each character of a key, up to U+00FF, stands " +
      "for one byte.",
  ),
  admin: optional(
    endpoint(),
    "none",
    "The address at which `tcpmux serve` shows itself by HTTP: a page, " +
      "metrics, and whether it is ready. There is no password: let it be one " +
      "that others do not reach, such as `127.0.0.1:9101`, or a Unix socket.",
  ),
  admin_hosts: preset(
    listOf(hostName(), "list of host names"),
    [],
    "The names under which `admin` may be asked, besides addresses and " +
      "`localhost`; any other name is refused, since a web page may have it " +
      "lead here.",
  ),
  control: optional(
    controlSocket(),
    "in `/run/tcpmux` or `$XDG_RUNTIME_DIR`",
    "The Unix socket of `tcpmux serve`, as `unix:/path`, for `tcpmux status`, " +
      "`reload`, `kill` and the like; only the server's user may use it. By " +
      "default `/run/tcpmux/control.sock`, else " +
      "`$XDG_RUNTIME_DIR/tcpmux/control.sock`, else none; `false` for none.",
  ),
  watch: preset(
    flag(),
    false,
    "Whether the table is read again by itself when its file has changed, or " +
      "one that it includes, or the files that a pattern matches.",
  ),
}, "a table such as [server]");
