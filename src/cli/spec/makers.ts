/** The commands that make files: for TLS, from other programs', and for them. */
import { type CommandSpec, EXIT_CODES, FILE } from "./parts.ts";

const { done, usage, refused, broken, busy, permission, config } = EXIT_CODES;

const CERT_ACTIONS = [
  "init",
  "issue",
  "renew",
  "revoke",
  "list",
] as const;
export type CertAction = typeof CERT_ACTIONS[number];

/** Those of RFC 5280, section 5.3.1, that are said of a peer's certificate. */
const REASONS = [
  "unspecified",
  "keyCompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
] as const;

export const CERT = {
  name: "cert",
  about: "keep a certificate authority for TLS",
  usages: ["init", "issue NAME", "renew NAME", "revoke NAME", "list"],
  description: [
    "Keeps a small certificate authority (CA) in a folder, so that servers and " +
    "clients can prove to each other by TLS who they are. It runs openssl(1).",
    "`init` makes the CA: `ca.key`, which nobody else may ever read, `ca.crt`, " +
    "which all servers and clients get, and `crl.pem`, the list of revoked " +
    "certificates, for the servers. `issue` makes NAME.key and NAME.crt, for a " +
    "client, or with `--server` for a server.",
    "`renew` makes a new key and certificate that says the same; the old one " +
    "stays valid until it ends, so that there is time to bring the new one to " +
    "its place. `revoke` puts all certificates of NAME on `crl.pem`, old ones " +
    "too; servers obey it from when they read it. That list lasts as long as " +
    "the CA, and each command but `list` writes it anew.",
    "`list` prints the CA, the newest certificate of each name, and older ones " +
    "that are still valid. A change is made as a whole or not at all, whenever " +
    "the program is killed, and by one process at a time.",
  ],
  positionals: [
    {
      name: "ACTION",
      kind: "choice",
      choices: CERT_ACTIONS,
      about: "an action",
    },
    {
      name: "NAME",
      kind: "text",
      about: "whose certificate it is",
      forms: "up to 64 letters, digits and `.` `-` `_` `@`",
      optional: true,
    },
  ],
  flags: {
    dir: {
      short: "d",
      value: { name: "FOLDER", kind: "file" },
      default: "./pki",
      about: "the folder of the CA",
      details: "`init` makes it, for its owner alone",
    },
    days: {
      value: { name: "NUMBER", kind: "count" },
      default: "365; 3650 for the CA",
      about: "how long the certificate is valid",
      details: "none lasts longer than the CA",
      environment: false,
      actions: ["init", "issue", "renew"],
    },
    server: {
      about: "make the certificate of a server",
      actions: ["issue"],
    },
    san: {
      value: {
        name: "SAN",
        kind: "text",
        forms: "`dns:HOST`, `ip:ADDRESS`, `uri:URI` or `email:ADDRESS`",
      },
      repeated: true,
      default: "with `--server`, NAME as `dns` or `ip`; else none",
      about: "a name in the certificate (subjectAltName), in place of NAME",
      environment: false,
      actions: ["issue"],
    },
    reason: {
      value: { name: "REASON", kind: "choice", choices: REASONS },
      default: "unspecified",
      about: "why it is revoked",
      environment: false,
      actions: ["revoke"],
    },
    json: {
      about: "print a JSON array",
      details: "each entry has `name`, `kind`, `san`, `serial`, `until`, " +
        "`state`, `revoked` and `reason`",
      actions: ["list"],
    },
  },
  exits: [
    { ...done, meaning: "done" },
    usage,
    {
      ...refused,
      meaning: "there is no such CA or certificate, or there is one already",
    },
    { ...broken, meaning: "cannot read or write; openssl(1) has failed" },
    { ...busy, meaning: "another process is at work in the folder" },
    { ...permission, meaning: "the folder is another user's" },
    { ...config, meaning: "openssl(1) is missing or too old" },
  ],
  examples: [{
    about: "make a CA, and certificates for a server and for a client",
    lines: [
      "tcpmux cert init",
      "tcpmux cert issue mux.example --server",
      "tcpmux cert issue alice",
    ],
  }, {
    about: "shut out a client whose key is lost, at once",
    lines: ["tcpmux cert revoke alice --reason keyCompromise"],
  }],
} as const satisfies CommandSpec;

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
