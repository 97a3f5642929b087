/** Reads the files that say what is served: nobody else may write them. */
import type { Stats } from "node:fs";
import { open, realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { TcpmuxError } from "../errors.ts";
import { type Problem, TableError } from "../table/problem.ts";
import { permitted } from "../transport/permission.ts";

const GROUP_OR_OTHERS = 0o022;
const STICKY = 0o1000;

/**
 * The text of a table. Its programs run with the rights of the server, so it
 * must be in the hands of root or of the server's user alone, and so must all
 * folders above it (compare StrictModes of sshd_config(5)).
 *
 * @throws {TcpmuxError} code `invalid_table`, saying why it cannot be read, or
 * a {@linkcode TableError} saying who else may change it
 */
export async function readTableFile(file: string): Promise<string> {
  try {
    const opened = await open(file);
    try {
      await checkHands(file, await opened.stat());
      return await opened.readFile("utf8");
    } finally {
      await opened.close();
    }
  } catch (error) {
    if (error instanceof TableError) throw error;
    const why = whyUnreadable(error);
    throw new TcpmuxError("invalid_table", `${file}: cannot be read: ${why}`, {
      cause: error,
    });
  }
}

function whyUnreadable(error: unknown): string {
  const { code } = error as { code?: string };
  if (code === "ENOENT") return "no such file";
  if (code === "EISDIR") return "it is a folder";
  if (code === "EACCES") return "it may not be read";
  return error instanceof Error ? error.message : String(error);
}

/** @throws {TableError} with all that is wrong */
async function checkHands(file: string, found: Stats): Promise<void> {
  if (!found.isFile()) return; // a pipe or a terminal, which has no folder
  const problems: Problem[] = [];
  const add = (message: string | undefined) => {
    if (message !== undefined) problems.push({ file, key: "", message });
  };
  add(faultOf(found, "it", file));
  for (const folder of await foldersOf(file)) {
    const above = await stat(folder).catch(() => undefined); // not permitted
    if (above === undefined || isShared(above)) continue;
    add(faultOf(above, `the folder ${folder}, in which it is,`, folder));
  }
  if (problems.length > 0) throw new TableError(problems);
}

/** All folders above a file: as it was named, and where it really is. */
async function foldersOf(file: string): Promise<Set<string>> {
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

/** As /tmp is: whoever may write there still has no hold on others' files. */
function isShared({ mode, uid }: Stats): boolean {
  return (mode & STICKY) !== 0 && isTrusted(uid);
}

function faultOf(
  { mode, uid }: Stats,
  what: string,
  path: string,
): string | undefined {
  if (!isTrusted(uid)) {
    return `${what} belongs to user ${uid}, who could change the table; it ` +
      `must be root's or the server's own: chown ${ownId()} ${path}`;
  }
  if ((mode & GROUP_OR_OTHERS) === 0) return undefined;
  const text = (mode & 0o7777).toString(8).padStart(4, "0");
  return `${what} can be written by others than its owner (mode ${text}), ` +
    `who could change the table: chmod go-w ${path}`;
}

function isTrusted(uid: number): boolean {
  const own = ownId();
  return own === undefined || uid === 0 || uid === own;
}

/** Undefined where there are no users, or Deno may not say. */
function ownId(): number | undefined {
  return permitted("sys") ? process.geteuid?.() : undefined;
}
