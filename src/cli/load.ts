/** Loads tables, from files that only root or the server's user can write. */
import type { Stats } from "node:fs";
import { open, readFile, realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { TcpmuxError } from "../errors.ts";
import { parseTable } from "../table/parse.ts";
import { type Problem, TableError } from "../table/problem.ts";
import type { Table } from "../table/table.ts";
import { permitted } from "../transport/permission.ts";

const GROUP_OR_OTHERS = 0o022;
const STICKY = 0o1000;

/** The name that errors and the log give the embedded table. */
export const EMBEDDED_NAME = "services.toml (embedded)";

/** A table and the name of the file that it came from. */
export interface Loaded {
  readonly table: Table;
  readonly file: string;
}

/**
 * Reads a table file, or the embedded table where none is named.
 *
 * @throws {TableError} with every problem
 * @throws {TcpmuxError} code `invalid_table` where the file cannot be read
 */
export async function loadTable(file: string | undefined): Promise<Loaded> {
  const name = file ?? EMBEDDED_NAME;
  const text = file === undefined
    ? await embeddedTable()
    : await readTableFile(file);
  const table = parseTable(text, name);
  if (table.services.length === 0) {
    // Most likely a file that was cut short, perhaps while it is being saved.
    const message = "there are none: a table has a [services.NAME] at least";
    throw new TableError([{ file: name, key: "services", message }]);
  }
  return { table, file: name };
}

/**
 * The default table as text: part of the program where the runtime or the
 * bundler can import text, read from beside the sources where Node cannot.
 */
async function embeddedTable(): Promise<string> {
  try {
    const text = await import("../../services.toml", {
      with: { type: "text" },
    });
    return text.default;
  } catch {
    return await readFile(new URL("../../services.toml", import.meta.url), {
      encoding: "utf8",
    });
  }
}

/**
 * The text of a table. Its programs run with the rights of the server, so only
 * root or the server's user may be able to write the file and all folders above
 * it (compare StrictModes of sshd_config(5)).
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

/** Whether a folder is sticky as /tmp is, where nobody can move others' files. */
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

/** Undefined on a system without users, or without Deno's permission. */
function ownId(): number | undefined {
  return permitted("sys") ? process.geteuid?.() : undefined;
}
