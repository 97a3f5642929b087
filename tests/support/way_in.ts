import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { quoted } from "./run.ts";
import { programUnderTest } from "./server.ts";

/** Our client command as the words that become a connection to a service. */
export function connectWords(port: number, service: string): string[] {
  return [...programUnderTest(), "connect", `127.0.0.1:${port}`, service];
}

/**
 * The same as a line of shell for ssh's ProxyCommand and rsync's
 * RSYNC_CONNECT_PROG, both of which take a percent sign for their own.
 */
export function connectLine(port: number, service: string): string {
  const words = connectWords(port, service).map(quoted);
  return words.join(" ").replaceAll("%", "%%");
}

/**
 * The same as the file of a program, for git's GIT_PROXY_COMMAND: it starts
 * it with a host and a port, which are the server's already.
 */
export function connectFile(
  folder: string,
  port: number,
  service: string,
): string {
  const file = join(folder, `connect-${service}`);
  const words = connectWords(port, service).map(quoted).join(" ");
  writeFileSync(file, `#!/bin/sh\nexec ${words}\n`);
  chmodSync(file, 0o700);
  return file;
}
