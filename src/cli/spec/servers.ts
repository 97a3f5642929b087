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

const { done, usage, config } = EXIT_CODES;

export const SERVE = {
  name: "serve",
  about: "serve the services of a table",
  description: [
    "Serves the services of a table until a signal stops it. Without a table " +
    "it serves one that is built in, whose services `HELP` lists, to this " +
    "machine only. Flags go before what the table says.",
  ],
  positionals: [],
  flags: {
    config: {
      short: "c",
      value: FILE,
      default: "the built-in table",
      about: "the service table",
    },
    ...STRICT_FLAG,
    listen: {
      short: "l",
      value: { name: "ADDRESS", kind: "text", forms: LISTEN_FORMS },
      repeated: true,
      default:
        "`[::]:1`, with the built-in table `127.0.0.1:1` and `[::1]:1`, " +
        "and port 1078 where port 1 is not permitted",
      about: "where to listen, in place of what the table says",
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
      about: "serve a table of one's own",
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
  about: "say all that is wrong with a table",
  description: [
    "Says all that is wrong with a table, without serving it: on standard " +
    "error, one error a line, as `file:line: key: what`. Warnings are marked " +
    "as such, and are no failure: among them are addresses that are in use " +
    "just now, and programs that their user may not execute.",
  ],
  positionals: [{
    ...FILE,
    about: "the table; without it, the built-in one",
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
    json: {
      about: "print one JSON object",
      details:
        "it has `ok`, `file`, `services` (how many), `errors` and `warnings`, " +
        "each with `line`, `key` and `message`",
    },
  },
  exits: [{ ...done, meaning: "the table can be served" }, usage, config],
  examples: [{
    about: "look for mistakes before serving",
    lines: ["tcpmux check services.toml"],
  }],
} as const satisfies CommandSpec;

export const FORWARD = {
  name: "forward",
  about: "listen locally for clients without TCPMUX",
  usages: ["LOCAL=SERVICE… HOST[:PORT]", "--config FILE [HOST[:PORT]]"],
  description: [
    "Listens at each LOCAL and carries every connection to that SERVICE of " +
    "the server, so that programs that know nothing of TCPMUX can use it. A " +
    "client that cannot have its service sees its connection closed; the log " +
    "has the reason.",
    "A FILE of forwards has a table `[forward.NAME]` for each, with `listen` " +
    "and perhaps `server`, `service` (by default NAME) and time limits. Its " +
    "table `[server]` may have `default_server`, and time limits, limits, " +
    "access lists and `log` for all of them. services.toml(5) lists the keys.",
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
      about: "read the forwards from a file, which HUP reads again",
      details: "flags go before what it says",
    },
    ...STRICT_FLAG,
    ...LOCAL_FLAGS,
    json: {
      about: "print one JSON object when it serves, and after each reload",
      details:
        "it has `forwards`, each with `name`, `listen` (with the real port), " +
        "`server` and `service`",
    },
  },
  isDaemon: true,
  exits: [...DAEMON_EXITS, { ...config, meaning: "FILE is wrong" }],
  examples: [{
    about: "give a database to a program that wants a port",
    lines: ["tcpmux forward 5432=postgres host.example &", "psql -h 127.0.0.1"],
  }],
} as const satisfies CommandSpec;

export const PROXY = {
  name: "proxy",
  about: "be a SOCKS5 and HTTP proxy to the services",
  description: [
    "Is a SOCKS5 and HTTP proxy at LOCAL whose hosts are the services of the " +
    "server: the host that is asked for is the service's name, and its port " +
    "is ignored. Nothing else can be reached through it.",
    "There is no authentication: who reaches LOCAL can use the services. HTTP " +
    "clients get the reason of a failure as status and text (403, 502, 503 " +
    "or 504), SOCKS clients as a code.",
  ],
  positionals: [
    {
      name: "LOCAL",
      kind: "text",
      about: "where to listen",
      forms: LOCAL_ADDRESS_FORMS,
    },
    SERVER,
  ],
  flags: {
    suffix: {
      value: { name: "WORD", kind: "text" },
      about: "take the host NAME.WORD for NAME as well",
    },
    ...LOCAL_FLAGS,
    json: {
      about: "print one JSON object when it serves",
      details: "it has `listen` (with the real port) and `server`",
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
