/** Mail, news and chat: exim4, dovecot's imap, leafnode, bitlbee. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assertMatch } from "@std/assert";
import { client, type ServedProgram, talk } from "./program.ts";

const exim: ServedProgram = {
  name: "smtp",
  title: "Exim, `exim4 -bs`",
  packages: ["exim4-daemon-light", "swaks"],
  needs: ["exim4", "swaks"],
  asRoot: true,
  exec: (file) => [
    ...["/usr/sbin/exim4", "-C"],
    file("smtp/config", "/etc/exim4/exim4.conf"),
    "-bs",
  ],
  async prepare(folder) {
    const spool = join(folder, "smtp/spool");
    mkdirSync(spool);
    await client(["chown", "-R", "Debian-exim", join(folder, "smtp")]);
    writeFileSync(
      join(folder, "smtp/config"),
      `primary_hostname = tcpmux.test
spool_directory = ${spool}
log_file_path = ${spool}/%slog
queue_only = true
acl_smtp_rcpt = check
begin acl
check:
  accept
begin routers
begin transports
`,
    );
    chmodSync(join(folder, "smtp/config"), 0o644);
  },
  async use({ folder, port }) {
    const word = `subject-of-${port}`;
    await client([
      ...["swaks", "--server", "127.0.0.1", "--port", String(port)],
      ...["--from", "a@tcpmux.test", "--to", "b@tcpmux.test"],
      ...["--header", `Subject: ${word}`, "--timeout", "10"],
    ]);
    // It lies in the queue, since nothing delivers it.
    const queue = join(folder, "smtp/spool/input");
    assertMatch(await client(["grep", "-r", word, queue]), /-H:/);
  },
};

const imap: ServedProgram = {
  name: "imap",
  title: "Dovecot, `imap` for one user",
  packages: ["dovecot-imapd"],
  needs: ["/usr/lib/dovecot/imap"],
  asRoot: true,
  exec: (file) => [
    ...["/usr/lib/dovecot/imap", "-c"],
    file("imap/config", "/etc/dovecot/one-user.conf"),
  ],
  keys: (file) => [
    'user = "nobody"',
    `env = { HOME = ${JSON.stringify(file("imap/home", "/home/anne"))} }`,
  ],
  note: "It refuses to run as root: set `user`.",
  async prepare(folder) {
    const home = join(folder, "imap/home");
    mkdirSync(home);
    await client(["chown", "-R", "nobody", join(folder, "imap")]);
    writeFileSync(
      join(folder, "imap/config"),
      `mail_location = maildir:${home}/Maildir
base_dir = ${join(folder, "imap/base")}
log_path = /dev/stderr
ssl = no
`,
    );
  },
  async use({ port }) {
    const letter = "Subject: one\r\n\r\nThe text.\r\n";
    const box = `box-${port}`;
    await talk(port, [
      ...[/^\* PREAUTH .*\r\n/, `a CREATE ${box}\r\n`, /^a OK .*\r\n/m],
      ...[`b APPEND ${box} {${letter.length}+}\r\n${letter}\r\n`, /^b OK /m],
      ...[`c SELECT ${box}\r\n`, /^\* 1 EXISTS/m, /^c OK /m],
      ...["d FETCH 1 BODY[TEXT]\r\n", /The text\./, /^d OK /m],
      ...["e LOGOUT\r\n", /^e OK /m],
    ]);
  },
};

const leafnode: ServedProgram = {
  name: "news",
  title: "Leafnode",
  packages: ["leafnode"],
  needs: ["leafnode"],
  asRoot: true,
  exec: () => ["/usr/sbin/leafnode"],
  keys: () => ['user = "news"'],
  not: { pipe: "it asks the socket for the client's IP address" },
  note:
    "It needs a `hostname` in its configuration that is not under `.test` or the like.",
  // Its folders have fixed names: it is given others of these names.
  contained: (folder) => [
    ...["unshare", "--mount", "sh", "-c"],
    `mount --bind ${folder}/news/etc /etc/news/leafnode &&
mount --bind ${folder}/news/spool /var/spool/news &&
exec setpriv --reuid=news --regid=news --init-groups leafnode`,
  ],
  async prepare(folder) {
    const file = (name: string) => join(folder, "news", name);
    mkdirSync(file("etc"));
    writeFileSync(
      file("etc/config"),
      "server = localhost\nexpire = 20\nhostname = news.tcpmux.net\n",
    );
    await client(["cp", "-a", "/var/spool/news", file("spool")]);
    await client(["chown", "-R", "root:news", file("etc")]);
  },
  async use({ port }) {
    await talk(port, [
      ...[/^20\d .*\r\n/, "LIST\r\n", /^215 [^]*?^\.\r\n/m],
      ...["HELP\r\n", /^100 [^]*?^\.\r\n/m, "QUIT\r\n", /^205 /m],
    ]);
  },
};

const bitlbee: ServedProgram = {
  name: "irc",
  title: "BitlBee, `bitlbee -I`",
  packages: ["bitlbee"],
  needs: ["bitlbee"],
  exec: (file) => [
    ...["/usr/sbin/bitlbee", "-I", "-c"],
    file("irc/config", "/etc/bitlbee/bitlbee.conf"),
    ...["-d", file("irc", "/var/lib/bitlbee")],
  ],
  prepare(folder) {
    const config = join(folder, "irc/config");
    writeFileSync(config, "[settings]\nRunMode = Inetd\nAuthMode = Open\n");
  },
  async use({ port }) {
    await talk(port, [
      ...["NICK anne\r\nUSER anne x x :Anne\r\n", / 001 anne :Welcome/],
      ...[/ PRIVMSG &bitlbee :/, "PING :there\r\n", / PONG .*there/],
      ...["QUIT :bye\r\n", /ERROR :Closing link/i],
    ]);
  },
};

export const MESSAGES: readonly ServedProgram[] = [
  ...[exim, imap, leafnode, bitlbee],
];
