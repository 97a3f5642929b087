/** What `[server]` may hold. */
import * as z from "zod";
import { addresses, maxStartups, rate, timeZone } from "./policy_values.ts";
import { LOG_LEVELS } from "../log.ts";
import {
  choice,
  count,
  duration,
  endpoint,
  flag,
  list,
  most,
} from "./values.ts";

const logSchema = z.strictObject({
  level: choice(LOG_LEVELS, "The least important level that is logged.")
    .optional(),
  format: choice(["text", "json"], "How a line of the log is written.")
    .optional(),
}, { error: "a table such as [server.log]" }).describe("The log.");

const penalty = (what: string, by: string) =>
  duration(`What ${what} adds to a source's account. Default "${by}".`)
    .optional();

const penaltiesSchema = z.strictObject({
  enabled: flag("Whether there are any. Default true.").optional(),
  unknown: penalty("asking for what is not there, or forbidden,", "2s"),
  malformed: penalty("a line that is none", "2s"),
  unfinished: penalty("a line that does not come in time", "10s"),
  threshold: duration(
    "The account at which a source is refused, and for how long; twice as " +
      'long each further time. Default "20s".',
  ).optional(),
  max: duration('The longest refusal. Default "10m".').optional(),
  exempt: addresses(
    "Who is never refused for this. Default: the machine itself.",
  ).optional(),
}, { error: "a table such as [server.penalties]" }).describe(
  "Sources that guess names or hold connections open are refused for a while.",
);

const BITS = "a whole number from 1 to 128";

export const serverSchema = z.strictObject({
  listen: z.union([
    endpoint("An address."),
    list(endpoint("An address."), "Several addresses.").min(1, {
      error: "at least one address",
    }),
  ]).describe(
    'Where to listen. Default "[::]:1", IPv4 and IPv6; or, where nothing is ' +
      "said and port 1 is not permitted, port 1078.",
  ).optional(),
  help: flag("Whether HELP is answered. Default true.").optional(),
  handshake_timeout: duration(
    'For the whole service line, from accept. Default "10s".',
  ).optional(),
  connect_timeout: duration('To reach an upstream. Default "5s".').optional(),
  idle_timeout: duration("Without a byte either way. Default 0.").optional(),
  drain_timeout: duration(
    'For live connections when the server stops. Default "30s".',
  ).optional(),
  max_duration: duration("Of a session. Default 0.").optional(),
  max_connections: count(1_000_000)
    .describe("At a time, in all, that have a service. Default 4096.")
    .optional(),
  max_handshakes: maxStartups(
    "Connections that have not named a service yet: START:PERCENT:FULL, as " +
      'MaxStartups of sshd. Default "512:30:1024".',
  ).optional(),
  max_connections_per_source: most("At a time, of one address. Default 256.")
    .optional(),
  rate_per_source: rate(
    "New connections of one address; without it as many as come.",
  )
    .optional(),
  ipv6_source_prefix: z.int({ error: BITS }).min(1, { error: BITS })
    .max(128, { error: BITS })
    .describe("Bits of an IPv6 address that make it one source. Default 64.")
    .optional(),
  allow: addresses("Who may use anything here; everybody, if it is empty.")
    .optional(),
  deny: addresses("Who may not.").optional(),
  time_zone: timeZone("That hours are in. Default: the system's.").optional(),
  penalties: penaltiesSchema.optional(),
  log: logSchema.optional(),
}, { error: "a table such as [server]" }).describe("The server itself.");

export type ServerInput = z.input<typeof serverSchema>;
