import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, withDaemon, withFolder } from "./daemon.ts";
import type { ForeignServer, ForeignService } from "./foreign.ts";
import { mustRun } from "./run.ts";

/** Runs `use` with Debian's xinetd, whose TCPMUX has a port of its own. */
export function withXinetd(
  services: readonly ForeignService[],
  use: (server: ForeignServer) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const port = await freePort();
    const file = join(folder, "xinetd.conf");
    const user = String((await mustRun(["id", "-un"])).stdout).trim();
    const entry = (name: string, type: string, keys: string) => `
service ${name}
{
  type = ${type} UNLISTED
  socket_type = stream
  protocol = tcp
  wait = no
  user = ${user}
  ${keys}
}
`;
    // Its defaults would take it to the system's log, which may not be there.
    const defaults = `defaults\n{\n  log_type = FILE ${folder}/log\n}\n`;
    const listener = entry(
      "tcpmux",
      "INTERNAL",
      `id = tcpmux\n  bind = 127.0.0.1\n  port = ${port}`,
    );
    const programs = services.map(({ name, program, ownReply, denied }) =>
      entry(
        name,
        ownReply ? "TCPMUX" : "TCPMUXPLUS",
        `server = ${program}${denied ? "\n  only_from = 192.0.2.1" : ""}`,
      )
    );
    writeFileSync(file, [defaults, listener, ...programs].join(""));
    const command = ["xinetd", "-dontfork", "-stayalive", "-f", file];
    command.push("-pidfile", join(folder, "pid"));
    await withDaemon(
      command,
      port,
      () => use({ host: "127.0.0.1", port, address: `127.0.0.1:${port}` }),
    );
  });
}
