/** The commands that ask and steer a server that runs on this machine. */
import { type CommandSpec, EXIT_CODES, TIME } from "./parts.ts";

const CONTROL_FLAGS = {
  control: {
    value: {
      name: "PATH",
      kind: "file",
      forms: "a path, also as `unix:/path`",
    },
    default: "`/run/tcpmux/control.sock`, or that of the user's own server, " +
      "`$XDG_RUNTIME_DIR/tcpmux/control.sock`",
    about: "the control socket of the server",
  },
  timeout: {
    short: "t",
    value: TIME,
    default: "10s",
    about: "longest wait for the server's answer",
    details: "0 is no limit",
  },
} as const;

const { done, usage, refused, broken, busy, protocol, permission, timedOut } =
  EXIT_CODES;

const BEFORE = [{ ...done, meaning: "done" }, usage];
const BROKEN = {
  ...broken,
  meaning: "no server has the socket, or it broke off",
};
const BEHIND = [
  { ...busy, meaning: "the server is starting, or has too many commands" },
  { ...protocol, meaning: "what answers is no tcpmux" },
  { ...permission, meaning: "the socket is another user's" },
  timedOut,
];
const CONTROL_EXITS = [...BEFORE, BROKEN, ...BEHIND];
const NAMED_EXITS = [
  ...BEFORE,
  { ...refused, meaning: "there is no such service" },
  BROKEN,
  ...BEHIND,
];

const SERVED = {
  name: "NAME",
  kind: "served",
  about: "a service",
  forms: "its name in the table, or an alias",
} as const;

const JSON_FLAG = { about: "print JSON" } as const;

export const STATUS = {
  name: "status",
  about: "show what a server is doing",
  description: [
    "Shows the version, table, addresses, services and figures of the server " +
    "that runs on this machine. The figures of a service are its sessions " +
    "now, and since the start of the server those that were served, those " +
    "that a limit turned away, and those that failed or broke off.",
  ],
  positionals: [],
  flags: {
    ...CONTROL_FLAGS,
    watch: {
      short: "w",
      about: "show it again each second, if standard output is a terminal",
    },
    quiet: { short: "q", about: "print the names of the services only" },
    json: { ...JSON_FLAG, details: "one object; it is that of `GET /status`" },
  },
  exits: CONTROL_EXITS,
  examples: [
    { about: "look on", lines: ["tcpmux status --watch"] },
    {
      about: "ask by other programs",
      lines: [
        "curl --unix-socket /run/tcpmux/control.sock http://localhost/status",
      ],
    },
  ],
} as const satisfies CommandSpec;

export const SESSIONS = {
  name: "sessions",
  about: "show the connections of a server",
  description: [
    "Shows the connections that are under way: their numbers, as `conn` of " +
    "the log, services, clients, ages, and bytes from and to the client.",
  ],
  positionals: [],
  flags: {
    ...CONTROL_FLAGS,
    quiet: { short: "q", about: "print the numbers only" },
    json: { ...JSON_FLAG, details: "one list; it is that of `GET /sessions`" },
  },
  exits: CONTROL_EXITS,
  examples: [{
    about: "the numbers of all connections",
    lines: ["tcpmux sessions -q"],
  }],
} as const satisfies CommandSpec;

export const KILL = {
  name: "kill",
  about: "end sessions of a server",
  usages: [
    "ID",
    "--service NAME",
    "--source CIDR",
  ],
  description: [
    "Ends sessions at once, and the programs that serve them. With both " +
    "flags a session must have both, the service and the source.",
  ],
  positionals: [{
    name: "ID",
    kind: "session",
    about: "a session",
    forms: "its number, as `tcpmux sessions` prints it",
    optional: true,
  }],
  flags: {
    ...CONTROL_FLAGS,
    service: {
      value: {
        name: "NAME",
        kind: "served",
        forms: "the name of a service in the table, or an alias",
      },
      about: "all sessions of this service",
      environment: false,
    },
    source: {
      value: {
        name: "CIDR",
        kind: "text",
        forms: "an address or a prefix such as 10.0.0.0/8, or `any`",
      },
      about: "all sessions of clients with such an address",
      environment: false,
    },
  },
  exits: [
    ...BEFORE,
    { ...refused, meaning: "there is no such session" },
    BROKEN,
    ...BEHIND,
  ],
  examples: [{
    about: "keep a client out whose address `deny` names since now",
    lines: ["tcpmux reload && tcpmux kill --source 192.0.2.7"],
  }],
} as const satisfies CommandSpec;

export const RELOAD = {
  name: "reload",
  about: "have a server read its table again",
  description: [
    "Has the server read its table again, as SIGHUP does, and says whether " +
    "that has worked: where the table is wrong, its errors are printed as " +
    "`tcpmux check` prints them, and the old table stays in force.",
  ],
  positionals: [],
  flags: CONTROL_FLAGS,
  exits: [
    ...BEFORE,
    {
      ...broken,
      meaning: "no server has the socket, or an address of the table cannot " +
        "be had",
    },
    ...BEHIND.slice(0, -1),
    {
      ...EXIT_CODES.config,
      meaning: "the table is wrong, so the old one stays in force",
    },
    timedOut,
  ],
  examples: [{
    about: "put a change in force",
    lines: ["tcpmux reload"],
  }],
} as const satisfies CommandSpec;

export const DISABLE = {
  name: "disable",
  about: "switch off a service of a server",
  description: [
    "Switches a service off: it is then as one with `enabled = false`, " +
    "unknown to clients and not in `HELP`. Its sessions go on. That holds, " +
    "whatever reloads bring, until `tcpmux enable` or the end of the server.",
  ],
  positionals: [SERVED],
  flags: CONTROL_FLAGS,
  exits: NAMED_EXITS,
  examples: [{
    about: "take a database off for maintenance, and end its sessions",
    lines: ["tcpmux disable postgres && tcpmux kill --service postgres"],
  }],
} as const satisfies CommandSpec;

export const ENABLE = {
  name: "enable",
  about: "switch a service of a server on again",
  description: [
    "Switches a service on again that `tcpmux disable` has switched off. What " +
    "the table does not enable stays off.",
  ],
  positionals: [SERVED],
  flags: CONTROL_FLAGS,
  exits: NAMED_EXITS,
  examples: [{ about: "end a maintenance", lines: ["tcpmux enable postgres"] }],
} as const satisfies CommandSpec;

export const DRAIN = {
  name: "drain",
  about: "have a server end with its last session",
  description: [
    "Has the server accept no more, and end when its last session has ended, " +
    "as SIGTERM does: after `drain_timeout` it ends those that are left.",
  ],
  positionals: [],
  flags: {
    ...CONTROL_FLAGS,
    wait: { about: "return when the server has ended, however long it takes" },
  },
  exits: CONTROL_EXITS,
  examples: [{
    about: "end a server in good order, and see it gone",
    lines: ["tcpmux drain --wait"],
  }],
} as const satisfies CommandSpec;
