/** Files for everybody: FTP and the web. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assertEquals } from "@std/assert";
import { client, type ServedProgram } from "./program.ts";

/** What is in the one file of each server. */
const TEXT = "All of the web in one line.\n".repeat(20_000);

/** Writes the one file, for a server that may run as anybody. */
function writeFile(folder: string): void {
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, "index.html"), TEXT, { mode: 0o644 });
}

async function get(port: number): Promise<void> {
  const url = `http://127.0.0.1:${port}/index.html`;
  assertEquals(await client(["curl", "-sSf", "--max-time", "10", url]), TEXT);
}

const vsftpd: ServedProgram = {
  name: "ftp",
  title: "vsftpd",
  packages: ["vsftpd"],
  needs: ["vsftpd", "curl"],
  asRoot: true,
  exec: (file) => [
    "/usr/sbin/vsftpd",
    file("ftp/config", "/etc/vsftpd-inetd.conf"),
  ],
  not: { pipe: "it asks the socket for the client's IP address" },
  note: "Its configuration needs `listen=NO` and `listen_ipv6=NO`.",
  prepare(folder) {
    const [tree, empty] = ["tree", "empty"].map((name) =>
      join(folder, "ftp", name)
    ) as [string, string];
    mkdirSync(tree);
    mkdirSync(empty, { mode: 0o755 });
    writeFile(tree);
    chmodSync(tree, 0o555);
    writeFileSync(
      join(folder, "ftp/config"),
      `listen=NO
listen_ipv6=NO
background=NO
anonymous_enable=YES
local_enable=NO
anon_root=${tree}
secure_chroot_dir=${empty}
seccomp_sandbox=NO
xferlog_enable=NO
`,
    );
  },
  async use({ port }) {
    const url = `ftp://127.0.0.1:${port}/`;
    const curl = ["curl", "-sSf", "--max-time", "10", "--disable-epsv"];
    assertEquals((await client([...curl, "-l", url])).trim(), "index.html");
    assertEquals(await client([...curl, `${url}index.html`]), TEXT);
  },
};

const busybox: ServedProgram = {
  name: "busybox-web",
  title: "BusyBox, `httpd -i`",
  packages: ["busybox"],
  needs: ["busybox", "curl"],
  exec: (file) => [
    ...["/bin/busybox", "httpd", "-i", "-h"],
    file("busybox-web", "/var/www"),
  ],
  prepare: (folder) => writeFile(join(folder, "busybox-web")),
  use: ({ port }) => get(port),
};

const lighttpd: ServedProgram = {
  name: "lighttpd",
  title: "lighttpd, `lighttpd -1`",
  packages: ["lighttpd"],
  needs: ["lighttpd", "curl"],
  exec: (file) => [
    ...["/usr/sbin/lighttpd", "-1", "-f"],
    file("lighttpd/config", "/etc/lighttpd/inetd.conf"),
  ],
  prepare(folder) {
    const tree = join(folder, "lighttpd/tree");
    mkdirSync(tree);
    writeFile(tree);
    writeFileSync(
      join(folder, "lighttpd/config"),
      `server.document-root = "${tree}"\nserver.bind = "127.0.0.1"\n`,
    );
  },
  use: ({ port }) => get(port),
};

const micro: ServedProgram = {
  name: "micro-web",
  title: "micro-httpd",
  packages: ["micro-httpd"],
  needs: ["micro-httpd", "curl"],
  exec: (file) => ["/usr/sbin/micro-httpd", file("micro-web", "/var/www")],
  prepare: (folder) => writeFile(join(folder, "micro-web")),
  use: ({ port }) => get(port),
};

export const FILES: readonly ServedProgram[] = [
  ...[vsftpd, busybox, lighttpd, micro],
];
