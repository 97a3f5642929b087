import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { withDaemon, withFolder } from "./daemon.ts";

/**
 * Runs `use` with an HAProxy of these sections, which listens on `port`.
 *
 * @param sections its configuration, after `defaults`; `{folder}` stands for a
 * folder that `files` are written to before
 */
export function withHaproxy(
  sections: string,
  port: number,
  use: () => Promise<void>,
  files: (folder: string) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  return withFolder(async (folder) => {
    await files(folder);
    const config = join(folder, "haproxy.cfg");
    writeFileSync(
      config,
      `global
    maxconn 100
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
${sections.replaceAll("{folder}", folder)}`,
    );
    await withDaemon(["haproxy", "-db", "-f", config], port, use);
  });
}
