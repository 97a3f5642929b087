/** The commands between a table and the configurations of others. */
import { type CommandSpec, EXIT_CODES, FILE } from "./parts.ts";

const { done, usage, broken, config } = EXIT_CODES;

export const DIALECTS = [
  "xinetd",
  "inetd-freebsd",
  "inetd-netbsd",
  "inetd-gnu",
  "tcpmux.cf",
  "tcpmuxa",
  "sslh",
  "haproxy",
] as const;
export type DialectName = typeof DIALECTS[number];

export const IMPORT = {
  name: "import",
  about: "make a table of an old configuration",
  description: [
    "Reads the configuration of another server, and prints a table that does " +
    "the same, with comments: xinetd.conf with what it includes, inetd.conf of " +
    "FreeBSD, NetBSD and GNU, tcpmux.cf of 1988, tcpmuxa.conf, sslh.cfg, and " +
    "the TCP frontends of haproxy.cfg. Several FILEs are one configuration; a " +
    "folder stands for its files, as with `includedir`.",
    "Standard error says of each part, by file and line, whether it is kept, " +
    "changes its meaning, or is dropped, and why. What the old server did not " +
    "let clients have stays closed (`enabled = false`), and so does what it " +
    "let some of them have, where the table cannot tell these. What had a port " +
    "of its own is offered by its name, and disabled.",
  ],
  positionals: [{
    ...FILE,
    about: "the files of the old configuration",
    repeated: true,
  }],
  flags: {
    from: {
      value: { name: "DIALECT", kind: "choice", choices: DIALECTS },
      about: "what the configuration is of",
      details: "without it, the lines of the FILEs tell",
      environment: false,
    },
    user: {
      value: { name: "USER", kind: "text" },
      default: "the server's",
      about: "whom programs run as, where the configuration does not say it",
      details: "that is so with tcpmux.cf and tcpmuxa",
      environment: false,
    },
    "hosts-allow": {
      value: FILE,
      default: "/etc/hosts.allow",
      about: "what libwrap let in, for servers that asked it",
    },
    "hosts-deny": {
      value: FILE,
      default: "/etc/hosts.deny",
      about: "what libwrap kept out",
    },
  },
  exits: [
    { ...done, meaning: "a service was kept or offered" },
    usage,
    { ...broken, meaning: "cannot write" },
    {
      ...config,
      meaning: "a FILE cannot be read, or there is no service in it",
    },
  ],
  examples: [{
    about: "take over from xinetd, and see what it comes to",
    lines: [
      "tcpmux import /etc/xinetd.conf > services.toml",
      "tcpmux check services.toml",
    ],
  }],
} as const satisfies CommandSpec;

const EXPORT_FORMATS = [
  "systemd",
  "nftables",
  "ssh_config",
  "prometheus",
] as const;
export type ExportFormat = typeof EXPORT_FORMATS[number];

export const EXPORT = {
  name: "export",
  about: "make files for other programs",
  description: [
    "Prints what other programs need to know of a table: units for systemd, " +
    "with the rights that this table needs; a rule set for nft(8), which drops " +
    "what no service would be given to; blocks for ssh_config(5), for each " +
    "service that speaks ssh; a part of prometheus.yml, and rules that alarm.",
  ],
  positionals: [{
    name: "FORMAT",
    kind: "choice",
    choices: EXPORT_FORMATS,
    about: "whom it is for",
  }],
  flags: {
    config: {
      short: "c",
      value: FILE,
      default: "the built-in table",
      about: "the service table",
    },
    output: {
      short: "o",
      value: { name: "FOLDER", kind: "file" },
      about: "write the files into a folder, and print their names",
      details: "one that is there already is not replaced",
      environment: false,
    },
    host: {
      value: { name: "HOST", kind: "host" },
      default: "the name of this machine",
      about: "what clients call the server, in ssh_config",
      environment: false,
    },
    admin: {
      value: { name: "HOST:PORT", kind: "text" },
      default: "`admin` of the table, else 127.0.0.1:9101",
      about: "where Prometheus asks the server",
      environment: false,
    },
  },
  exits: [
    { ...done, meaning: "done" },
    usage,
    { ...broken, meaning: "cannot write" },
    config,
  ],
  examples: [{
    about: "have ssh reach the services of a server by their names",
    lines: [
      "tcpmux export ssh_config -c services.toml --host mux.example >> config",
    ],
  }],
} as const satisfies CommandSpec;
