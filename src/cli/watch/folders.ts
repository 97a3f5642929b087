/** Where a change leads to another table. */
import { readlink, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";

/** Links that may follow each other, as the system has it. */
const MOST_LINKS = 40;

/** The folder that something is in, and the one above, where it is replaced. */
const LEVELS = 2;

/**
 * The folders in which something changes when what stands at one of the paths
 * does: those of the files and those above them; and, for each link on the way,
 * as a volume of Kubernetes has them (`..data`), that of the link.
 */
export async function foldersOf(
  paths: readonly string[],
): Promise<Set<string>> {
  const ways = new Ways();
  for (const path of paths) await ways.add(resolve(path));
  const present = new Set<string>();
  for (const folder of ways.folders) present.add(await nearest(folder));
  return present;
}

class Ways {
  readonly folders = new Set<string>();
  /** Each path that has been looked at, with its level. */
  readonly #known = new Set<string>();

  async add(path: string, level = LEVELS, links = MOST_LINKS): Promise<void> {
    const key = `${level} ${path}`;
    if (path === "/" || this.#known.has(key)) return;
    this.#known.add(key);
    const folder = dirname(path);
    const target = await readlink(path).catch(() => undefined); // it is no link
    if (level > 0 || target !== undefined) this.folders.add(folder);
    if (target !== undefined && links > 0) {
      await this.add(resolve(folder, target), LEVELS, links - 1);
    }
    await this.add(folder, Math.max(0, level - 1), links);
  }
}

/** The folder itself, or the nearest one above it that is there. */
async function nearest(folder: string): Promise<string> {
  for (let at = folder;; at = dirname(at)) {
    const found = await stat(at).catch(() => undefined); // it is missing
    if (found?.isDirectory() || at === dirname(at)) return at;
  }
}
