/**
 * Who can write a table: its programs run with the rights of the server, so
 * only root or the server's user may be able to (compare StrictModes of
 * sshd_config(5)).
 */
import type { Stats } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Problem } from "../../table/problem.ts";
import { ownId } from "../../transport/permission.ts";

const GROUP_OR_OTHERS = 0o022;
const STICKY = 0o1000;

const LAST_RESORT = "use --no-strict-modes to accept it anyway";

/** Finds out who else than the server's user and root could change a table. */
export class Writers {
  /** What has been looked at: a folder of many files is complained of once. */
  readonly #known = new Set<string>();
  #mounts: Promise<ReadonlyMap<string, boolean>> | undefined;

  /** What is wrong with a file of the table, and with the folders above it. */
  async faultsOf(file: string, found: Stats): Promise<readonly Problem[]> {
    const ofFile = await this.#fault(file, file, found, "it");
    return [...ofFile, ...await this.#faultsAbove(file, file)];
  }

  /**
   * What is wrong with a folder whose files belong to the table.
   *
   * @param table the file that says so
   */
  async faultsOfFolder(
    folder: string,
    table: string,
  ): Promise<readonly Problem[]> {
    const found = await stat(folder).catch(() => undefined);
    if (found === undefined) return [];
    const what = `the directory ${folder}, whose files it includes,`;
    this.#known.add(resolve(folder));
    const ofFolder = await this.#fault(table, folder, found, what);
    return [...ofFolder, ...await this.#faultsAbove(table, folder)];
  }

  async #faultsAbove(file: string, below: string): Promise<Problem[]> {
    const problems: Problem[] = [];
    for (const folder of await foldersAbove(below)) {
      if (this.#known.has(folder)) continue;
      this.#known.add(folder);
      const above = await stat(folder).catch(() => undefined); // not permitted
      if (above === undefined || isShared(above)) continue;
      const what = `the directory ${folder} above it`;
      problems.push(...await this.#fault(file, folder, above, what));
    }
    return problems;
  }

  /** @param file the one that the problem is said of */
  async #fault(
    file: string,
    path: string,
    found: Stats,
    what: string,
  ): Promise<Problem[]> {
    const message = faultOf(found, what, path, TABLE);
    if (message === undefined) return [];
    if (await isReadOnly(path, await (this.#mounts ??= mountsOf()))) return [];
    return [{ file, key: "", message: `${message}, or ${LAST_RESORT}` }];
  }
}

/** Where file systems are mounted, and whether they are read-only here. */
async function mountsOf(): Promise<ReadonlyMap<string, boolean>> {
  // Deno reads this file only if all is permitted.
  const text = await readFile("/proc/self/mountinfo", "utf8").catch(() => "");
  return new Map(
    text.split("\n").filter((line) => line !== "").map((line) => {
      const [, , , , point = "", options = ""] = line.split(" ");
      const path = point.replaceAll(
        /\\([0-7]{3})/g,
        (_, code) => String.fromCharCode(parseInt(code, 8)),
      );
      return [path, options.split(",").includes("ro")];
    }),
  );
}

/** What not even root can write here, such as a volume of Kubernetes. */
async function isReadOnly(
  path: string,
  mounts: ReadonlyMap<string, boolean>,
): Promise<boolean> {
  const real = await realpath(path).catch(() => resolve(path));
  for (let above = real;; above = dirname(above)) {
    const isMount = mounts.get(above);
    if (isMount !== undefined) return isMount;
    if (above === dirname(above)) return false;
  }
}

/** All folders above a file: as it was named, and where it really is. */
async function foldersAbove(file: string): Promise<Set<string>> {
  const folders = new Set<string>();
  const real = await realpath(file).catch(() => file);
  for (const path of [resolve(file), resolve(real)]) {
    for (let folder = dirname(path);; folder = dirname(folder)) {
      folders.add(folder);
      if (folder === dirname(folder)) break;
    }
  }
  return folders;
}

/** Whether a folder is sticky as /tmp is, where nobody can move others' files. */
function isShared({ mode, uid }: Stats): boolean {
  return (mode & STICKY) !== 0 && isTrusted(uid);
}

/** What it is that others could change, and whose it must be, for messages. */
interface Owned {
  readonly what: string;
  readonly owner: string;
}

const TABLE: Owned = { what: "the table", owner: "the server's user" };

/** Who else than root and our own user could change a file; undefined for none. */
export function faultOf(
  { mode, uid }: Stats,
  what: string,
  path: string,
  owned: Owned,
): string | undefined {
  if (!isTrusted(uid)) {
    return `${what} belongs to user ${uid}, who could change ${owned.what}; ` +
      `the owner must be root or ${owned.owner}: chown ${ownId()} ${path}`;
  }
  if ((mode & GROUP_OR_OTHERS) === 0) return undefined;
  const text = (mode & 0o7777).toString(8).padStart(4, "0");
  return `${what} is writable by its group or others (mode ${text}), who ` +
    `could change ${owned.what}: chmod go-w ${path}`;
}

function isTrusted(uid: number): boolean {
  const own = ownId();
  return own === undefined || uid === 0 || uid === own;
}
