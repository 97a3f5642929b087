/**
 * What a table may hold, said once: it validates, it types the library's
 * input, and `services.schema.json` is made from it for editors. The `error`
 * of each value says what is allowed.
 */
import * as z from "zod";
import type { Endpoint } from "../endpoint.ts";
import { HELP, MAX_NAME } from "../wire.ts";
import { rlimitsSchema } from "./rlimits.ts";
import { BUILTINS, type Handler } from "./service.ts";
import { addresses, hours, rate, timeZone } from "./policy_values.ts";
import { serverSchema } from "./server_schema.ts";
import {
  choice,
  destination,
  duration,
  flag,
  list,
  mode,
  most,
  name,
  niceness,
  readDestination,
  text,
  transformed,
} from "./values.ts";

/** Whether a service may be called that. */
export function isName(value: string): boolean {
  return /^[\x21-\x7e]+$/.test(value) && value.length <= MAX_NAME &&
    value.toUpperCase() !== HELP;
}

export const NAME_RULE =
  `1 to ${MAX_NAME} printable ASCII characters without blanks, and not HELP`;

export const nameSchema = z.string({ error: NAME_RULE })
  .refine(isName, { error: NAME_RULE });

const common = {
  description: text("For people; not sent to clients.").optional(),
  aliases: list(nameSchema, "Other names of the service.").optional(),
  listed: flag("Whether HELP names it. Default true.").optional(),
  enabled: flag("Whether it is served at all. Default true.").optional(),
  message: z.string({ error: "text in quotes" })
    .regex(/^[\x20-\x7e]{0,500}$/, {
      error: "at most 500 printable ASCII characters",
    })
    .describe('The text behind the + of the reply. Default "Go".').optional(),
  idle_timeout: duration(
    "Without a byte either way. Default: the server's.",
  ).optional(),
  max_duration: duration("Of a session. Default: the server's.").optional(),
  allow: addresses("Who may use it; everybody, if it is empty.").optional(),
  deny: addresses("Who may not.").optional(),
  hours: hours("When it may be used. Default: always.").optional(),
  time_zone: timeZone("That hours are in. Default: the server's.").optional(),
  max_connections: most("At a time. Default 0.").optional(),
  max_connections_per_source: most("At a time, of one address. Default 0.")
    .optional(),
  rate: rate("New connections; without it as many as come.").optional(),
  rate_pause: duration(
    "How long all are refused once rate was exceeded. Default 0.",
  ).optional(),
  rate_per_source: rate(
    "New connections of one address; without it as many as come.",
  )
    .optional(),
};

const connectTimeout = duration("Default: the server's.").optional();

const environment = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
    error: "a name of letters, digits and _",
  }),
  text("A value."),
  { error: 'a table such as { NAME = "value" }' },
);

/** One strict schema a kind; the kind's name is the key that chooses it. */
export const kindSchemas = {
  builtin: z.strictObject({
    builtin: choice(BUILTINS, "A service of the server's own."),
    quotes: list(
      text("At most 512 characters.").max(512, {
        error: "at most 512 characters (RFC 865)",
      }),
      "For qotd: what it chooses from.",
    ).min(1, { error: "at least one quote" }).optional(),
    ...common,
  }),
  exec: z.strictObject({
    exec: list(text("A word of the command."), "Program and arguments.")
      .min(1, { error: 'a program and its arguments, as ["/bin/date"]' })
      .refine((words) => words[0] !== "", { error: "a program's path" }),
    reply: choice(
      ["server", "service"],
      "Who sends the + or - line: the server (default), or the program.",
    ).optional(),
    stdio: choice(
      ["pipe", "socket"],
      "What its standard input and output are: pipes to the server, or the " +
        'client\'s socket itself, as inetd does. Default "pipe".',
    ).optional(),
    user: name("Whom the program runs as.", "the name of a user").optional(),
    group: name(
      "Which group it runs as. Default: the user's.",
      "the name of a group",
    ).optional(),
    nice: niceness.optional(),
    umask: mode("Which rights it takes from files that it makes.").optional(),
    rlimits: rlimitsSchema.describe("What it may use of the machine.")
      .optional(),
    cwd: name("Its working directory.", "a folder").optional(),
    env: environment.describe("Its environment, besides what is always set.")
      .optional(),
    passenv: list(
      text("A name."),
      "Variables that it gets from the server's own environment.",
    ).optional(),
    stderr: choice(
      ["log", "null", "client"],
      'Where its standard error goes. Default "log".',
    ).optional(),
    kill_grace: duration(
      'Between SIGTERM and SIGKILL. Default "5s".',
    ).optional(),
    ...common,
  }),
  connect: z.strictObject({
    connect: z.union([
      destination("An upstream."),
      list(destination("An upstream."), "Upstreams, tried in this order.").min(
        1,
        {
          error: "at least one address",
        },
      ),
    ]).describe("The server that gets the connection."),
    connect_timeout: connectTimeout,
    ...common,
  }),
  tcpmux: z.strictObject({
    tcpmux: transformed(
      readRemoteService,
      "HOST:PORT/NAME or unix:/path/NAME",
      "A service of another TCPMUX server: HOST:PORT/NAME.",
    ),
    connect_timeout: connectTimeout,
    ...common,
  }),
  text: z.strictObject({ text: text("A fixed answer."), ...common }),
};

/** For programs only: a function cannot stand in a file. */
export const handlerSchema = z.strictObject({
  handler: z.custom<Handler>((value) => typeof value === "function", {
    error: "a function",
  }),
  ...common,
});

export type KindKey = keyof typeof kindSchemas;
export const KIND_KEYS = Object.keys(kindSchemas) as KindKey[];

/** `HOST:PORT/NAME` or `unix:/path/NAME`, the name behind the last slash. */
function readRemoteService(
  value: string,
): { upstream: Endpoint; remoteName: string } | string {
  const cut = value.startsWith("unix:")
    ? value.lastIndexOf("/")
    : value.indexOf("/");
  const remoteName = cut < 0 ? "" : value.slice(cut + 1);
  if (!isName(remoteName)) return `a name is ${NAME_RULE}`;
  const upstream = readDestination(value.slice(0, cut));
  return typeof upstream === "string" ? upstream : { upstream, remoteName };
}

const wholeSchema = z.strictObject({
  $schema: z.string().optional(),
  server: serverSchema.optional(),
  services: z.record(
    z.string().regex(/^[\x21-\x7e]{1,255}$/),
    z.union(Object.values(kindSchemas)),
  ).optional(),
});

/** `services.schema.json`, as an object. */
export function jsonSchema(): object {
  return {
    ...z.toJSONSchema(wholeSchema, { io: "input", target: "draft-7" }),
    title: "tcpmux service table",
  };
}

export type HandlerInput = z.input<typeof handlerSchema>;
export type ServiceInput = {
  [K in KindKey]: z.input<typeof kindSchemas[K]>;
}[KindKey];
