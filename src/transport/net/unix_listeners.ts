import { readFile } from "node:fs/promises";
import { basename } from "node:path";

/**
 * Whether Linux lists a listening socket of that path, or of a relative path
 * with the same file name; false on other systems, and where the list may not
 * be read.
 *
 * @param path one that begins with a NUL byte is an abstract name
 */
export async function isListenedOn(path: string): Promise<boolean> {
  const shown = path.replace(/^\0/, "@");
  const name = basename(shown);
  const lines = await readFile("/proc/net/unix", "utf8").catch(() => "");
  // Num RefCount Protocol Flags Type St Inode Path; 00010000 is a listener.
  return lines.split("\n").some((line) => {
    const [, flags, listed = ""] = /^(?:\S+ ){3}(\S+)(?: +\S+){3} (.*)$/
      .exec(line) ?? [];
    const isIt = listed === shown ||
      !listed.startsWith("/") && basename(listed) === name;
    return flags === "00010000" && isIt;
  });
}
