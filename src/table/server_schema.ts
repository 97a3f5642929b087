/** Every key of `[server]`: its value, its default and its description. */
import * as z from "zod";
import { LOG_LEVELS } from "../log.ts";
import {
  addresses,
  choice,
  controlSocket,
  duration,
  endpoint,
  flag,
  hostName,
  limit,
  listOf,
  maxStartups,
  oneOrMore,
  optional,
  preset,
  rate,
  timeZone,
  wholeNumber,
} from "./values.ts";

/** Descriptions of the keys that services and forwards have as well. */
export const TIMES = {
  connect_timeout:
    "The time within which an upstream must answer; `0` for no limit.",
  idle_timeout:
    "The time without a byte in either direction after which a session is " +
    "ended; `0` for no limit.",
  half_closed_timeout:
    "The time without a byte after which a session is ended if one of its " +
    "sides has ended already; `0` for no limit.",
  stall_timeout:
    "The time after which a side is given up that takes no byte while bytes " +
    "wait for it in the server; `0` for no limit. Bytes that the operating " +
    "system has taken do not wait in the server: if they are never " +
    "acknowledged, TCP gives up after about 15 minutes.",
  max_duration:
    "The time after which a session is ended, whatever moves; `0` for no limit.",
};

/**
 * The times without bytes, for what takes the server's unless it has its own.
 *
 * @param servers what stands as the default in the reference
 */
export function relayTimes(servers: string) {
  return {
    idle_timeout: optional(duration(), servers, TIMES.idle_timeout),
    half_closed_timeout: optional(
      duration(),
      servers,
      TIMES.half_closed_timeout,
    ),
    stall_timeout: optional(duration(), servers, TIMES.stall_timeout),
  };
}

const logSchema = z.strictObject({
  level: preset(
    choice(LOG_LEVELS),
    "info",
    "The least important level that is logged.",
  ),
  format: preset(
    choice(["text", "json"]),
    "text",
    "The form of a log line: `key=value` text, or a JSON object.",
  ),
}, { error: "a table such as [server.log]" }).meta({ value: "table" });

const penaltiesSchema = z.strictObject({
  enabled: preset(flag(), true, "Whether there are penalties."),
  unknown: preset(
    duration(),
    "2s",
    "What a request for a service that does not exist, or that the client " +
      "may not use, adds to the account of its source; `0` for nothing.",
  ),
  malformed: preset(
    duration(),
    "2s",
    "What a service line that is malformed, or ends early, adds to the " +
      "account; `0` for nothing.",
  ),
  unfinished: preset(
    duration(),
    "10s",
    "What a service line that is not complete within `handshake_timeout` " +
      "adds to the account; `0` for nothing.",
  ),
  threshold: preset(
    duration(),
    "20s",
    "The account at which a source is refused, and the length of its first " +
      "refusal. Each further refusal is twice as long.",
  ),
  max: preset(
    duration(),
    "10m",
    "The longest refusal, and the time without an offence after which a " +
      "source counts as new.",
  ),
  exempt: preset(
    addresses(),
    ["127.0.0.0/8", "::1"],
    "The clients that never get a penalty; by default those on this machine.",
  ),
}, { error: "a table such as [server.penalties]" }).meta({ value: "table" });

export const serverSchema = z.strictObject({
  listen: optional(
    oneOrMore(endpoint()),
    '`"[::]:1"`, or port 1078 where port 1 is not permitted',
    "The addresses to listen on. A host name stands for all of its addresses; " +
      "`[::]` takes IPv4 connections as well.",
  ),
  help: preset(
    flag(),
    true,
    "Whether `HELP` is answered with the names of the services.",
  ),
  handshake_timeout: preset(
    duration(),
    "10s",
    "The time within which a client must have sent its whole service line, " +
      "from accept on; `0` for no limit.",
  ),
  connect_timeout: preset(duration(), "5s", TIMES.connect_timeout),
  idle_timeout: preset(duration(), 0, TIMES.idle_timeout),
  half_closed_timeout: preset(duration(), "1h", TIMES.half_closed_timeout),
  stall_timeout: preset(duration(), 0, TIMES.stall_timeout),
  drain_timeout: preset(
    duration(),
    "30s",
    "The time that the sessions under way get to end when the server stops; " +
      "`0` ends them at once.",
  ),
  max_duration: preset(duration(), 0, TIMES.max_duration),
  max_connections: preset(
    wholeNumber(1, 1_000_000, "connections"),
    4096,
    "The most connections to services at a time. It is lowered, with a " +
      "warning, to fit the limit of open files.",
  ),
  max_handshakes: preset(
    maxStartups(),
    "512:30:1024",
    "The most connections at a time that have not named a service yet. From " +
      "`START` of them on, `PERCENT` % of the new ones are refused, then " +
      "more and more of them, and at `FULL` all (as `MaxStartups` of sshd). " +
      "A number alone is `FULL`, below which none is refused.",
  ),
  max_connections_per_source: preset(
    limit("connections"),
    256,
    "The most connections from one address at a time; `0` for no limit.",
  ),
  rate_per_source: optional(
    rate(),
    "no limit",
    "The rate of new connections from one address.",
  ),
  ipv6_source_prefix: preset(
    wholeNumber(1, 128, "bits"),
    64,
    "The first bits of an IPv6 address that count: addresses that begin with " +
      "the same ones are one address for all limits and penalties.",
  ),
  allow: preset(
    addresses(),
    [],
    "The clients that may use any service; if the list is empty, all but " +
      "those in `deny`.",
  ),
  deny: preset(addresses(), [], "The clients that may use no service."),
  time_zone: optional(
    timeZone(),
    "the system's",
    "The time zone of the `hours` of services.",
  ),
  penalties: preset(
    penaltiesSchema,
    {},
    "The penalties for sources that guess names, or do not finish their " +
      "service lines.",
  ),
  log: preset(logSchema, {}, "What is logged, and how."),
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
}, { error: "a table such as [server]" });
