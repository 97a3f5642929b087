/** The commands that listen, and the one that looks at what they serve. */
import { LISTEN_FORMS } from "../../parse_endpoint.ts";
import {
  type CommandSpec,
  DAEMON_EXITS,
  EXIT_CODES,
  FILE,
  LOCAL_ADDRESS_FORMS,
  LOCAL_FLAGS,
  LOG_FLAGS,
  SERVER,
  STRICT_FLAG,
} from "./parts.ts";

const { done, usage, refused, config } = EXIT_CODES;

const TABLE_FLAGS = {
  config: {
    short: "c",
    value: FILE,
    default: "the built-in table",
    about: "the service table",
  },
  ...STRICT_FLAG,
} as const;

export const SERVE = {
  name: "serve",
  about: "serve the services of a table",
  description: [
    "Serves the services of a table until a signal stops it. Without " +
    "`--config` it serves a built-in table, which only this machine can " +
    "reach. Flags override the table.",
  ],
  positionals: [],
  flags: {
    ...TABLE_FLAGS,
    listen: {
      short: "l",
      value: { name: "ADDRESS", kind: "text", forms: LISTEN_FORMS },
      repeated: true,
      default:
        "`[::]:1`; with the built-in table `127.0.0.1:1` and `[::1]:1`; " +
        "port 1078 if port 1 is not permitted",
      about: "address to listen on, instead of the table's",
    },
    inetd: {
      about: "serve one connection, standard input, and end with it",
      details: "this is for inetd, xinetd, tcpserver and systemd's " +
        "`Accept=yes`. `listen`, penalties, and limits that count several " +
        "connections do nothing then, and where standard error is the " +
        "connection as well, nothing is logged",
    },
    ...LOG_FLAGS,
  },
  isDaemon: true,
  exits: [...DAEMON_EXITS, config],
  examples: [
    {
      about: "serve your own table",
      lines: ["tcpmux serve --config services.toml"],
    },
    {
      about: "serve the built-in table, and try it",
      lines: [
        "tcpmux serve --listen 127.0.0.1:1078 &",
        "tcpmux list 127.0.0.1:1078",
        "printf 'daytime\\r\\n' | nc 127.0.0.1 1078",
      ],
    },
  ],
} as const satisfies CommandSpec;

export const CHECK = {
  name: "check",
  about: "check a table without serving it",
  description: [
    "Checks a table without serving it. Each error is one line on standard " +
    "error: `file:line: key: what`. A line that ends with `(warning)` is not " +
    "a failure: for example, an address is in use now or not permitted, the " +
    "user of a service may not execute its program, clients would refuse the " +
    "server's certificate, or the server would log " +
    "a warning if it were started here. It may be run beside a server of the " +
    "same table.",
  ],
  positionals: [{
    ...FILE,
    about: "the table (default: the built-in table)",
    optional: true,
  }],
  flags: {
    config: {
      short: "c",
      value: FILE,
      default: "the built-in table",
      about: "the same as the argument FILE",
    },
    ...STRICT_FLAG,
    connect: {
      about: "connect to every upstream too, and warn of those that are silent",
      details: "each has its `connect_timeout`, or 30 seconds where that is " +
        "no limit; it is connected to, and the connection closed",
    },
    dump: {
      about: "print the effective table, with all defaults, as one file",
      details:
        "it holds what `env` holds, secrets too; keys whose default no " +
        "file can say stand there as comments",
    },
    json: {
      about: "print one JSON object",
      details:
        "it has `ok`, `file`, `services` (how many), `errors`, `warnings` " +
        "and, with `--connect`, `upstreams`: each with `file`, `line`, `key` " +
        "and `message`",
    },
  },
  exits: [
    { ...done, meaning: "the table has no errors" },
    usage,
    { ...refused, meaning: "an upstream does not answer (`--connect`)" },
    config,
  ],
  examples: [{
    about: "check a table before serving it",
    lines: ["tcpmux check services.toml"],
  }, {
    about: "see what the defaults make of it",
    lines: ["tcpmux check --dump services.toml"],
  }],
} as const satisfies CommandSpec;

export const EXPLAIN = {
  name: "explain",
  about: "say what a client would get, and why",
  description: [
    "Says what a client would get that asks for SERVICE, as the server " +
    "decides it by the table, and the rules that decide, each with its place: " +
    "`allow`, `deny` and `allow_certificate` with the entry that matches, " +
    "aliases, `hours` with the time that counts, the limits that apply, and " +
    "what would be opened. Nothing is opened, and no server is asked, so that " +
    "limits which are reached just now and penalties do not show.",
    "A table that `check` refuses is refused here, too. Files of certificates " +
    "that cannot be read here are no errors: lines say what was not checked " +
    "for want of them. Users and programs of the system are not looked for.",
    "`HELP` as SERVICE says which services it would list, and why not the " +
    "others.",
  ],
  positionals: [{
    name: "SERVICE",
    kind: "text",
    about: "the name that the client asks for",
  }],
  flags: {
    ...TABLE_FLAGS,
    from: {
      value: {
        name: "ADDRESS",
        kind: "text",
        forms: "an IPv4 or IPv6 address, or `unix` for a Unix socket's client",
      },
      environment: false,
      about: "the client's address; it must be given",
    },
    via: {
      value: {
        name: "PROXY",
        kind: "text",
        forms: "an IPv4 or IPv6 address",
      },
      environment: false,
      about: "the proxy that tells the client's address, by `trusted_proxies`",
    },
    certificate: {
      value: { name: "FILE", kind: "file", forms: "a file in PEM" },
      environment: false,
      about: "the certificate that the client shows, with those between it " +
        "and `client_ca`",
      details: "it is judged as the server does, by `client_ca`, `crl` and " +
        "its dates, but without the runtime's own look at it; without this " +
        "flag the client shows none",
    },
    at: {
      value: {
        name: "INSTANT",
        kind: "text",
        forms:
          "`HH:MM` (today) or ISO 8601, by the service's time zone unless " +
          "it says another",
      },
      environment: false,
      default: "now",
      about: "when the client asks",
    },
  },
  exits: [
    { ...done, meaning: "it would be served" },
    usage,
    { ...refused, meaning: "it would be refused" },
    config,
  ],
  examples: [{
    about: "see why a colleague is refused at night",
    lines: ["tcpmux explain -c services.toml ssh --from 10.1.2.3 --at 03:00"],
  }],
} as const satisfies CommandSpec;

export const FORWARD = {
  name: "forward",
  about: "forward local ports to services",
  usages: ["LOCAL=SERVICE… HOST[:PORT]", "--config FILE [HOST[:PORT]]"],
  description: [
    "Listens on each LOCAL address and forwards every connection to its " +
    "SERVICE on the server, for programs that do not speak TCPMUX. If the " +
    "service is refused or fails, the client's connection is closed, and the " +
    "log has the reason.",
    "In a FILE, each forward is a table `[forward.NAME]` with `listen` and, " +
    "where needed, `server`, `service` (default: NAME) and time limits. The " +
    "table `[server]` has `default_server`, and the time limits, connection " +
    "limits, access lists and `log` of all forwards. services.toml(5) lists " +
    "the keys.",
  ],
  positionals: [
    {
      name: "LOCAL=SERVICE",
      kind: "forward",
      about: "a local address and its service",
      forms: `LOCAL is ${LOCAL_ADDRESS_FORMS}`,
      repeated: true,
      optional: true,
    },
    { ...SERVER, optional: true },
  ],
  flags: {
    config: {
      short: "c",
      value: FILE,
      environment: false,
      about: "read the forwards from a file, and again on SIGHUP",
      details: "flags override the file",
    },
    ...STRICT_FLAG,
    ...LOCAL_FLAGS,
    json: {
      about: "print one JSON object once it listens, and after each reload",
      details:
        "it has `forwards`, each with `name`, `listen` (with the actual port), " +
        "`server` and `service`; of a host name, one for each address",
    },
  },
  isDaemon: true,
  exits: [...DAEMON_EXITS, { ...config, meaning: "FILE has errors" }],
  examples: [{
    about: "reach a database through a local port",
    lines: ["tcpmux forward 5432=postgres host.example &", "psql -h 127.0.0.1"],
  }],
} as const satisfies CommandSpec;

export const PROXY = {
  name: "proxy",
  about: "run a SOCKS5 and HTTP proxy to services",
  description: [
    "Listens on LOCAL as a SOCKS5 and HTTP proxy. The host that a client asks " +
    "for is the name of a service on the server; the port is ignored. The " +
    "proxy reaches nothing else.",
    "There is no authentication: everyone who can connect to LOCAL can use " +
    "the services. After a failure an HTTP client gets a status (such as 403, " +
    "502, 503 or 504) and the reason as text, a SOCKS client a reply code.",
  ],
  positionals: [
    {
      name: "LOCAL",
      kind: "text",
      about: "an address to listen on",
      forms: LOCAL_ADDRESS_FORMS,
    },
    SERVER,
  ],
  flags: {
    suffix: {
      value: { name: "WORD", kind: "text" },
      about: "also accept the host NAME.WORD for the service NAME",
    },
    ...LOCAL_FLAGS,
    json: {
      about: "print one JSON object once it listens",
      details: "it has `listen` (with the actual port) and `server`",
    },
  },
  isDaemon: true,
  exits: DAEMON_EXITS,
  examples: [{
    about: "reach the services `wiki` and `ssh` of a server by their names",
    lines: [
      "tcpmux proxy 1080 host.example &",
      "curl --proxy socks5h://127.0.0.1:1080 http://wiki/",
      "ssh -o ProxyCommand='nc -X 5 -x 127.0.0.1:1080 %h %p' ssh",
    ],
  }],
} as const satisfies CommandSpec;
