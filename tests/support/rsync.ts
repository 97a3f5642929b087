import { writeFileSync } from "node:fs";
import process from "node:process";

/**
 * Writes the configuration of an rsync daemon with one module.
 *
 * @param more further lines of the module
 */
export function writeRsyncConfig(
  file: string,
  folder: string,
  more: readonly string[] = [],
  module = "tree",
): void {
  const lines = [
    "use chroot = no",
    `uid = ${process.getuid!()}`,
    `gid = ${process.getgid!()}`,
    `[${module}]`,
    `path = ${folder}`,
    "read only = no",
    ...more,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
}
