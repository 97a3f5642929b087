/** The commands that ask a server. */
import {
  CLIENT_EXITS,
  CLIENT_FLAGS,
  type CommandSpec,
  EXIT_CODES,
  FAMILY_FLAGS,
  PROBE_STATES,
  SECONDS,
  SERVER,
  STRING,
} from "./parts.ts";

const SERVICE = {
  name: "SERVICE",
  kind: "service",
  about: "a service",
  forms: "its name, as `tcpmux list` prints it",
} as const;

export const CONNECT = {
  name: "connect",
  about: "use a service, as nc uses a port",
  description: [
    "Makes standard input and output the connection to a service, byte for " +
    "byte. The end of the input is passed on, and the answer is read to its " +
    "end.",
  ],
  positionals: [
    SERVER,
    SERVICE,
  ],
  flags: {
    ...CLIENT_FLAGS,
    quiet: {
      short: "q",
      about: "print no message on failure: the exit code tells",
    },
    verbose: { short: "v", about: "say on standard error what happens" },
    progress: {
      about: "show bytes, rate and time, if standard error is a terminal",
    },
    early: {
      about: "send input together with the name, one round trip earlier",
      details: "servers of before 1990 lose it",
    },
    "send-all": {
      about: "go on sending when the server has ended its side",
      details: "without it the command ends then",
    },
    xinetd: { about: "drop the NUL byte that xinetd sends behind its reply" },
  },
  exits: [...CLIENT_EXITS, EXIT_CODES.interrupted],
  examples: [
    {
      about: "reach the service `ssh` of a server by the program ssh",
      lines: [
        "ssh -o ProxyCommand='tcpmux connect %h ssh' host.example",
      ],
    },
    {
      about: "clone from `git daemon --inetd`; git gives the script a host " +
        "and a port",
      lines: [
        `printf '#!/bin/sh\\nexec tcpmux connect "$1" git\\n' > git-mux`,
        "chmod +x git-mux",
        "GIT_PROXY_COMMAND=$PWD/git-mux git clone git://host.example/project",
      ],
    },
  ],
} as const satisfies CommandSpec;

export const LIST = {
  name: "list",
  about: "print the names of a server's services",
  description: ["Prints the names of a server's services, one a line."],
  positionals: [SERVER],
  flags: { ...CLIENT_FLAGS, json: { about: "print one JSON list" } },
  exits: CLIENT_EXITS,
  examples: [{
    about: "wait until a server is up, and see what it has",
    lines: ["tcpmux list --wait 10s host.example"],
  }],
} as const satisfies CommandSpec;

export const PROBE = {
  name: "probe",
  about: "check a server's services, for monitoring",
  description: [
    "Is a plugin for Nagios, Icinga and what else runs their plugins. It asks " +
    "for each SERVICE, all at once, and prints one line: the worst state, " +
    "what was found and, behind `|`, the times as performance data. Without " +
    "a SERVICE it checks that `HELP` names at least one, and starts none.",
  ],
  positionals: [
    SERVER,
    { ...SERVICE, optional: true, repeated: true },
  ],
  flags: {
    warning: {
      short: "w",
      value: SECONDS,
      about: "WARNING if the answer takes longer",
    },
    critical: {
      short: "c",
      value: SECONDS,
      about: "CRITICAL if the answer takes longer",
      details: "0 is shorter than any answer",
    },
    timeout: {
      short: "t",
      value: SECONDS,
      default: "10s",
      about: "CRITICAL if there is no answer by then",
      details: "0 is no limit",
    },
    send: {
      short: "s",
      value: STRING,
      about: "send this once the server has answered `+`",
    },
    expect: {
      short: "e",
      value: STRING,
      about: "wait until the service has sent this, as part of its time",
      details: "its first 64 KiB are searched",
    },
    ...FAMILY_FLAGS,
    json: {
      about: "print one JSON object in place of the line",
      details: "it has `status` and `services`, each with `name`, `status`, " +
        "`seconds`, `message` (the server's words) and `error`",
    },
  },
  exits: Object.values(PROBE_STATES),
  examples: [{
    about: "warn after half a second, and alarm after two",
    lines: [
      "tcpmux probe -w 0.5 -c 2 -s 'PING\\r\\n' -e +PONG host.example redis",
    ],
  }],
} as const satisfies CommandSpec;
