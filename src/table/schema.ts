/**
 * Every key of a table, said once: its value, its default and its description;
 * those of `[server]` are in server_schema.ts, those of programs in
 * exec_schema.ts. Tables are validated by these definitions, and `npm run
 * generate` makes the JSON Schema, the types of the library's input, and the
 * reference in docs/table.md and in services.toml(5) of them.
 */
import * as v from "valibot";
import type { Endpoint } from "../endpoint.ts";
import { readDestination, readTarget } from "../parse_endpoint.ts";
import { HELP, MAX_NAME } from "../wire.ts";
import { execKeys } from "./exec_schema.ts";
import {
  checked,
  optional,
  preset,
  record,
  required,
  SERVERS,
  table,
} from "./keys.ts";
import {
  proxyProtocol,
  relayTimes,
  serverSchema,
  TIMES,
} from "./server_schema.ts";
import { BUILTINS, type Handler } from "./service.ts";
import { allowCertificate } from "./steps/server_tls.ts";
import { upstreamTls } from "./steps/upstream_tls.ts";
import {
  addresses,
  choice,
  destination,
  duration,
  flag,
  hours,
  limit,
  listOf,
  name,
  oneOrMore,
  rate,
  someOf,
  text,
  textThat,
  timeZone,
  transformed,
} from "./values.ts";

/** Whether a service may have that name. */
export function isName(value: string): boolean {
  return /^[\x21-\x7e]+$/.test(value) && value.length <= MAX_NAME &&
    value.toUpperCase() !== HELP;
}

export const NAME_RULE =
  `1 to ${MAX_NAME} printable ASCII characters without blanks, and not HELP`;

export const nameSchema = textThat(isName, NAME_RULE, {
  value: "name",
  form: NAME_RULE,
});

/** The keys of every kind of service. */
export const commonSchema = table({
  description: preset(
    text(),
    "",
    "A description for people; clients do not get it.",
  ),
  aliases: preset(
    listOf(nameSchema, "list of names"),
    [],
    "Other names of the service.",
  ),
  listed: preset(flag(), true, "Whether `HELP` lists the service."),
  enabled: preset(flag(), true, "Whether the service is offered at all."),
  alpn: preset(
    listOf(
      textThat(
        /^[\x21-\x7e]{1,255}$/,
        "1 to 255 printable ASCII characters without blanks",
      ),
      "list of protocols",
    ),
    [],
    "The protocols that clients may ask for (ALPN) that name the service by " +
      '`server.tls.sni_names`, such as `"postgresql"`. If the list is empty, ' +
      "they may ask for any, and none is agreed on.",
  ),
  message: preset(
    v.pipe(
      v.string("text in quotes"),
      v.regex(
        /^[\x20-\x7e]{0,500}$/,
        "at most 500 printable ASCII characters",
      ),
      v.metadata({ value: "text" }),
    ),
    "Go",
    "The text after the `+` of the reply: at most 500 printable ASCII " +
      "characters.",
  ),
  ...relayTimes(SERVERS),
  max_duration: optional(duration(), SERVERS, TIMES.max_duration),
  allow: preset(
    addresses(),
    [],
    "The clients that may use the service, if they may use the server at " +
      "all. If the list is empty, all of these may, except those in `deny`.",
  ),
  deny: preset(addresses(), [], "The clients that may not use the service."),
  allow_certificate: allowCertificate(
    "The clients that may use the service, by a name in their certificate: an " +
      "attribute of the subject (`CN=alice`) or an alternative name " +
      "(`SAN:dns:`, `SAN:uri:`, `SAN:email:`, `SAN:ip:`). `*` stands for the " +
      "whole first label of a DNS name, or a whole segment of a URI's path. If " +
      "the list is empty, all may. `allow` and `hours` must let them in too.",
  ),
  hours: optional(
    hours(),
    "always",
    'When the service may be used, such as `"08:00-18:00"` or ' +
      '`"mon-fri 22:00-06:00"`. A range that ends before it begins goes past ' +
      "midnight; it belongs to the day on which it begins.",
  ),
  time_zone: optional(timeZone(), SERVERS, "The time zone of `hours`."),
  max_connections: preset(
    limit("connections"),
    0,
    "The maximum number of connections to the service at a time; `0` for no " +
      "limit.",
  ),
  max_connections_per_source: preset(
    limit("connections"),
    0,
    "The maximum number of connections to the service from one address at a " +
      "time; `0` for no limit.",
  ),
  rate: optional(
    rate(),
    "no limit",
    "The maximum rate of new connections to the service.",
  ),
  rate_pause: preset(
    duration(),
    0,
    "How long the service refuses all clients after `rate` was exceeded; " +
      "with `0` it refuses only the excess.",
  ),
  rate_per_source: optional(
    rate(),
    "no limit",
    "The maximum rate of new connections to the service from one address.",
  ),
});

const common = commonSchema.entries;

const connectTimeout = optional(duration(), SERVERS, TIMES.connect_timeout);

/** One strict schema a kind; the kind's name is the key that chooses it. */
export const kindSchemas = {
  builtin: table({
    builtin: required(
      choice(BUILTINS),
      "A built-in service (RFC 862 to 868).",
    ),
    quotes: optional(
      someOf(
        v.pipe(text(), v.maxLength(512, "at most 512 characters (RFC 865)")),
        "list of texts",
        "at least one quote",
      ),
      "the server's own",
      "The texts from which `qotd` picks one at random; each has at most 512 " +
        "characters.",
    ),
    ...common,
  }),
  exec: table({
    ...execKeys,
    ...common,
  }),
  connect: table({
    connect: required(
      oneOrMore(destination()),
      "The server to which connections are passed on. If it is a list, the " +
        "first address that answers is used.",
    ),
    ready: preset(
      choice(["connected", "first-byte"]),
      "connected",
      'When an upstream is ready: `"connected"`, as soon as it accepts the ' +
        'connection; `"first-byte"`, when it has sent a byte within ' +
        "`connect_timeout`, for servers that speak first (ssh, SMTP, MySQL).",
    ),
    connect_timeout: connectTimeout,
    tls: upstreamTls,
    proxy_protocol: proxyProtocol,
    ...common,
  }),
  tcpmux: v.pipe(
    table({
      tcpmux: required(
        transformed(
          readRemoteService,
          "HOST:PORT/NAME, unix:/path/NAME or tcpmuxs://HOST:PORT/NAME",
          '`"HOST:PORT/NAME"`, `"unix:/path/NAME"` or `"tcpmuxs://HOST:PORT/NAME"`',
        ),
        "A service of another TCPMUX server. Its reply is passed on. In a URL, " +
          "`tcpmux://` or, for TLS, `tcpmuxs://`, the name has %-escapes.",
      ),
      connect_timeout: connectTimeout,
      tls: upstreamTls,
      proxy_protocol: proxyProtocol,
      ...common,
    }),
    checked(({ tcpmux, tls }) =>
      tcpmux.isTls && tls === false
        ? { key: "tls", allowed: "true or a table, as tcpmuxs:// is TLS" }
        : undefined
    ),
  ),
  text: table({
    text: required(text(), "The text that is sent to the client."),
    ...common,
  }),
};

/** For programs only: no file can hold a function. */
export const handlerSchema = table({
  handler: required(
    v.pipe(
      v.custom<Handler>((value) => typeof value === "function", "a function"),
      v.metadata({ value: "function" }),
    ),
    "The function that gets each connection.",
  ),
  ...common,
});

export type KindKey = keyof typeof kindSchemas;
export const KIND_KEYS = Object.keys(kindSchemas) as KindKey[];

/** A service of another server, as one text names it. */
interface RemoteOne {
  readonly upstream: Endpoint;
  readonly remoteName: string;
  /** Whether the address itself says that there is TLS. */
  readonly isTls: boolean;
}

/** A URL, or else `HOST:PORT/NAME` or `unix:/path/NAME`. */
function readRemoteService(value: string): RemoteOne | string {
  if (/^tcpmuxs?:\/\//i.test(value)) {
    const target = readTarget(value);
    if (typeof target === "string") return target;
    const { endpoint: upstream, service: remoteName = "", tls } = target;
    return isName(remoteName)
      ? { upstream, remoteName, isTls: tls }
      : `a name is ${NAME_RULE}`;
  }
  const cut = value.startsWith("unix:")
    ? value.lastIndexOf("/")
    : value.indexOf("/");
  const remoteName = cut < 0 ? "" : value.slice(cut + 1);
  if (!isName(remoteName)) return `a name is ${NAME_RULE}`;
  const upstream = readDestination(value.slice(0, cut));
  return typeof upstream === "string"
    ? upstream
    : { upstream, remoteName, isTls: false };
}

export const includeSchema = preset(
  listOf(name("a path or a pattern"), "list of paths and patterns"),
  [],
  "Files with more services, by paths that begin where the table is. In the " +
    "last part of a pattern, `*` stands for any characters and `?` for one.",
);

/** A whole file; `$schema` is for editors. */
export const fileSchema = table({
  $schema: v.optional(v.string()),
  include: includeSchema,
  server: v.pipe(
    v.optional(serverSchema),
    v.description("The settings of the server itself."),
  ),
  services: v.pipe(
    v.optional(record(
      textThat(/^[\x21-\x7e]{1,255}$/, NAME_RULE),
      v.union(Object.values(kindSchemas)),
    )),
    v.description("The services, each under its name."),
  ),
});
