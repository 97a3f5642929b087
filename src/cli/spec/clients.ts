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
  TLS_FLAGS,
} from "./parts.ts";

const SERVICE = {
  name: "SERVICE",
  kind: "service",
  about: "a service",
  forms: "its name, as `tcpmux list` prints it",
} as const;

export const CONNECT = {
  name: "connect",
  about: "connect stdin and stdout to a service",
  description: [
    "Connects standard input and output to a service, byte for byte. At the " +
    "end of the input it closes its sending side (half-close), and it reads " +
    "until the server closes the connection.",
  ],
  usages: ["HOST[:PORT] SERVICE", "tcpmux[s]://HOST[:PORT]/SERVICE"],
  positionals: [
    SERVER,
    { ...SERVICE, optional: true },
  ],
  flags: {
    ...CLIENT_FLAGS,
    ...TLS_FLAGS,
    quiet: {
      short: "q",
      about: "print no error message; the exit code shows the failure",
    },
    verbose: {
      short: "v",
      about:
        "print the address, the reply and the byte counts on standard error",
    },
    progress: {
      about: "show bytes, rate and time if standard error is a terminal",
    },
    early: {
      about: "send input with the service name, without waiting for the reply",
      details: "it saves a round trip; servers from before 1990 lose the input",
    },
    "send-all": {
      about: "keep sending after the server has closed its sending side",
      details: "without this flag the command exits then",
    },
    xinetd: { about: "drop the NUL byte that xinetd sends after its reply" },
  },
  exits: [...CLIENT_EXITS, EXIT_CODES.interrupted],
  examples: [
    {
      about: "run ssh through the service `ssh` of a server",
      lines: [
        "ssh -o ProxyCommand='tcpmux connect %h ssh' host.example",
      ],
    },
    {
      about: "clone from `git daemon --inetd` (git calls the script with a " +
        "host and a port)",
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
  description: ["Prints the names of a server's services, one per line."],
  positionals: [SERVER],
  flags: {
    ...CLIENT_FLAGS,
    ...TLS_FLAGS,
    json: { about: "print a JSON array" },
  },
  exits: CLIENT_EXITS,
  examples: [{
    about: "wait until a server is up, then list its services",
    lines: ["tcpmux list --wait 10s host.example"],
  }],
} as const satisfies CommandSpec;

export const PROBE = {
  name: "probe",
  about: "check a server's services, for monitoring",
  description: [
    "A monitoring plugin for Nagios, Icinga and compatible systems. It asks " +
    "for every SERVICE at the same time and prints one line: the worst " +
    "state, the findings and, after `|`, the response times as performance " +
    "data. Without a SERVICE it only checks that `HELP` lists a service. By " +
    "TLS, the line also says the server's certificate and how long it is good.",
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
      details: "with 0, every answer is CRITICAL",
    },
    timeout: {
      short: "t",
      value: SECONDS,
      default: "10s",
      about: "CRITICAL if there is no answer within this time",
      details: "0 means no limit",
    },
    send: {
      short: "s",
      value: STRING,
      about: "send this after the server's `+`",
    },
    expect: {
      short: "e",
      value: STRING,
      about: "wait until the service has sent this; the wait is measured too",
      details: "only the first 64 KiB are searched",
    },
    ...FAMILY_FLAGS,
    ...TLS_FLAGS,
    "warn-expiry": {
      value: { name: "DAYS", kind: "count" },
      default: "14",
      about: "WARNING if the server's certificate ends within so many days",
    },
    json: {
      about: "print one JSON object instead of the line",
      details: "it has `status` and `services`, each with `name`, `status`, " +
        "`seconds`, `message` (the server's reply), `error` and, by TLS, `tls`",
    },
  },
  exits: Object.values(PROBE_STATES),
  examples: [{
    about: "WARNING after half a second, CRITICAL after two seconds",
    lines: [
      "tcpmux probe -w 0.5 -c 2 -s 'PING\\r\\n' -e +PONG host.example redis",
    ],
  }],
} as const satisfies CommandSpec;
