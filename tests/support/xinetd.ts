import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, withDaemon, withFolder } from "./daemon.ts";
import type { ForeignServer, ForeignService } from "./foreign.ts";
import { mustRun } from "./run.ts";

/** Writes an entry of its file, of a service that runs as this user. */
async function entries() {
  const user = String((await mustRun(["id", "-un"])).stdout).trim();
  return (name: string, type: string, keys: string) => `
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
}

/** Runs `use` with an xinetd of this file, once it answers on `port`. */
function withFile(
  folder: string,
  services: readonly string[],
  port: number,
  use: () => Promise<void>,
  env: Record<string, string> = {},
): Promise<void> {
  const file = join(folder, "xinetd.conf");
  // Its defaults would take it to the system's log, which may not be there.
  const defaults = `defaults\n{\n  log_type = FILE ${folder}/log\n}\n`;
  writeFileSync(file, [defaults, ...services].join(""));
  const command = ["xinetd", "-dontfork", "-stayalive", "-f", file];
  command.push("-pidfile", join(folder, "pid"));
  return withDaemon(command, port, use, { env });
}

/**
 * Runs `use` with the port of a plain service of xinetd's, cat(1), whose
 * entry holds `keys`. Nobody has come to it yet.
 */
export function withXinetdService(
  keys: readonly string[],
  use: (port: number) => Promise<void>,
  env?: Record<string, string>,
): Promise<void> {
  return withFolder(async (folder) => {
    const entry = await entries();
    const at = (port: number) =>
      `bind = 127.0.0.1\n  port = ${port}\n  server = /bin/cat\n  `;
    const port = await freePort();
    // Asking whether it is up would count, so another service is asked.
    const other = await freePort();
    const services = [
      entry("limited", "", at(port) + keys.join("\n  ")),
      entry("other", "", at(other)),
    ];
    await withFile(folder, services, other, () => use(port), env);
  });
}

/** Runs `use` with the port where each client gets a program of its own. */
export function withXinetdProgram(
  [program, ...args]: readonly string[],
  use: (port: number) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const port = await freePort();
    const entry = await entries();
    const service = entry(
      "program",
      "",
      `bind = 127.0.0.1\n  port = ${port}\n  server = ${program}\n  ` +
        `server_args = ${args.join(" ")}`,
    );
    await withFile(folder, [service], port, () => use(port));
  });
}

/** Runs `use` with Debian's xinetd, whose TCPMUX has a port of its own. */
export function withXinetd(
  services: readonly ForeignService[],
  use: (server: ForeignServer) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const port = await freePort();
    const entry = await entries();
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
    await withFile(
      folder,
      [listener, ...programs],
      port,
      () => use({ host: "127.0.0.1", port, address: `127.0.0.1:${port}` }),
    );
  });
}
