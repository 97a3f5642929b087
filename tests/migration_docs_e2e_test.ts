/** The commands of docs/operations.md that move an old server run as shown. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { freePort, withFolder } from "./support/daemon.ts";
import { needs, needsRoot } from "./support/needs.ts";
import { quoted, run } from "./support/run.ts";
import { programUnderTest, ROOT } from "./support/server.ts";

const XINETD = `
defaults
{
	log_type	= SYSLOG daemon info
}
includedir xinetd.d
`;
const entries = (port: number) => `
service tcpmux
{
	type		= INTERNAL UNLISTED
	bind		= 127.0.0.1
	port		= ${port}
	id		= tcpmux
	socket_type	= stream
	protocol	= tcp
	wait		= no
	user		= root
}
service cat
{
	type		= TCPMUXPLUS UNLISTED
	socket_type	= stream
	protocol	= tcp
	wait		= no
	user		= nobody
	server		= /bin/cat
}
service ftp
{
	socket_type	= stream
	wait		= no
	user		= root
	server		= /usr/sbin/in.ftpd
	only_from	= 10.0.0.0
}
`;

/** The blocks that are marked, as one script. */
function commands(): string {
  const text = readFileSync(join(ROOT, "docs", "operations.md"), "utf8");
  const blocks = [...text.matchAll(/^```sh migration\n([^]*?)^```$/gm)];
  assert(blocks.length > 1, "docs/operations.md has no commands");
  return blocks.map(([, lines]) => lines).join("");
}

test(
  "docs/operations.md: from xinetd to a table that serves",
  { ...needs("nft", "promtool"), ...needsRoot() },
  () =>
    withFolder(async (folder) => {
      const etc = join(folder, "etc");
      mkdirSync(join(etc, "xinetd.d"), { recursive: true });
      writeFileSync(join(etc, "xinetd.conf"), XINETD);
      writeFileSync(
        join(etc, "xinetd.d", "services"),
        entries(await freePort()),
      );
      const program = join(folder, "tcpmux");
      const words = programUnderTest().map(quoted).join(" ");
      writeFileSync(program, `#!/bin/sh\nexec ${words} "$@"\n`);
      chmodSync(program, 0o755);
      const port = await freePort();
      const script = commands().replaceAll("/etc/", `${etc}/`)
        .replaceAll(":1078", `:${port}`);
      const ran = await run(
        ["sh", "-e", "-c", `cd ${quoted(folder)}\n${script}`],
        { env: { PATH: `${folder}:${process.env.PATH}` } },
      );
      assertEquals([ran.code, ran.stderr.replace(/^tcpmux: .*\n/, "")], [
        0,
        "",
      ]);
      const said = String(ran.stdout).replaceAll(`${etc}/`, "");
      assertMatch(said, /^xinetd\.d\/services:13: kept: cat: \/bin\/cat$/m);
      assertMatch(said, /^xinetd\.d\/services:22: changed: ftp: offered by/m);
      assertMatch(said, /^there is no HELP, as with xinetd\nhello$/m);
    }),
);
