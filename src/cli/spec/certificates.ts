/** The command that keeps a certificate authority. */
import { type CommandSpec, EXIT_CODES } from "./parts.ts";

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
