/** Loads tables, from files that only root or the server's user can write. */
import { constants, type Stats } from "node:fs";
import { open, readFile, realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { TcpmuxError } from "../errors.ts";
import { parseTable } from "../table/parse.ts";
import { type Problem, TableError } from "../table/problem.ts";
import type { Table } from "../table/table.ts";
import { permitted } from "../transport/permission.ts";
import { pickTransport } from "../transport/pick.ts";

const { O_NONBLOCK, O_RDONLY } = constants;

const GROUP_OR_OTHERS = 0o022;
const STICKY = 0o1000;

/** Standard input, as the name of a file. */
const STDIN = "-";

/** What the parent process has opened, such as `<(…)` of a shell. */
const HANDED = /^\/(dev\/(stdin|fd\/\d+)|proc\/(self|\d+)\/fd\/\d+)$/;

const USED_UP = "it was read at the start and cannot be read again (only a " +
  "regular file can be reloaded)";

const LAST_RESORT = "use --no-strict-modes to accept it anyway";

/** The name that errors and the log give the embedded table. */
const EMBEDDED_NAME = "services.toml (embedded)";

/** A table and the name of the file that it came from. */
export interface Loaded {
  readonly table: Table;
  readonly file: string;
  /** What is not as it should be, and no reason to serve nothing. */
  readonly advice: () => readonly Problem[];
}

/**
 * Reads a table file, or the embedded table where none is named.
 *
 * @throws {TableError} with every problem
 * @throws {TcpmuxError} code `invalid_table` where the file cannot be read
 */
export async function loadTable(source: TableSource): Promise<Loaded> {
  const { name } = source;
  const text = await source.read();
  const table = parseTable(text, name);
  if (table.services.length === 0) {
    // Most likely a file that was cut short, perhaps while it is being saved.
    const message = "is empty; needed: at least one table [services.NAME]";
    throw new TableError([{ file: name, key: "services", message }]);
  }
  return { table, file: name, advice: () => source.advice };
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
 * Where the text of a table comes from. Its programs run with the rights of the
 * server, so only root or the server's user may be able to write the file and
 * all folders above it (compare StrictModes of sshd_config(5)).
 */
export class TableSource {
  /** The name that errors and the log give it. */
  readonly name: string;
  readonly #file: string | undefined;
  readonly #isStrict: boolean;
  #faults: readonly Problem[] = [];
  /** A pipe or standard input can be read only once. */
  #isUsedUp = false;

  /** @param file `-` is standard input, and undefined the embedded table */
  constructor(file: string | undefined, { isStrict = true } = {}) {
    this.#file = file;
    this.#isStrict = isStrict;
    this.name = file === undefined
      ? EMBEDDED_NAME
      : file === STDIN
      ? "standard input"
      : file;
  }

  /** Who else could change it, as was found when it was read last. */
  get faults(): readonly Problem[] {
    return this.#faults;
  }

  /** What was found when it was read last. */
  get advice(): readonly Problem[] {
    if (!this.#isUsedUp) return this.#faults;
    const message = "it can be read only once, so SIGHUP will change nothing";
    return [...this.#faults, { file: this.name, key: "", message }];
  }

  /**
   * @throws {TcpmuxError} code `invalid_table`, saying why it cannot be read,
   * or a {@linkcode TableError} saying who else may change it
   */
  async read(): Promise<string> {
    if (this.#file === undefined) return await embeddedTable();
    try {
      if (this.#isUsedUp) throw new Error(USED_UP);
      if (this.#file !== STDIN) return await this.#readFile(this.#file);
      this.#isUsedUp = true;
      return await readInput();
    } catch (error) {
      if (error instanceof TableError) throw error;
      const message = `${this.name}: cannot be read: ${whyUnreadable(error)}`;
      throw new TcpmuxError("invalid_table", message, { cause: error });
    }
  }

  async #readFile(file: string): Promise<string> {
    const isHanded = HANDED.test(file);
    // Opened so, a pipe in the file's place does not block.
    const flags = isHanded ? O_RDONLY : O_RDONLY | O_NONBLOCK;
    const opened = await open(file, flags);
    try {
      const found = await opened.stat();
      if (!found.isFile() && !found.isDirectory() && !isHanded) {
        throw new Error("it is a pipe or a device, not a file");
      }
      if (found.isFile()) await this.#checkHands(file, found);
      else this.#isUsedUp = !found.isDirectory();
      return decoded([await opened.readFile()]);
    } finally {
      await opened.close();
    }
  }

  /** @throws {TableError} with all that is wrong */
  async #checkHands(file: string, found: Stats): Promise<void> {
    this.#faults = await faultsOf(file, found);
    if (this.#isStrict && this.#faults.length > 0) {
      throw new TableError(this.#faults);
    }
  }
}

/** All of standard input. */
async function readInput(): Promise<string> {
  const stdio = (await pickTransport()).stdio();
  const pieces: Uint8Array[] = [];
  try {
    for (let bytes; (bytes = await stdio.read()) !== null;) pieces.push(bytes);
  } finally {
    stdio.close();
  }
  return decoded(pieces);
}

/** TOML is UTF-8; any other encoding would only show as odd characters. */
function decoded(pieces: readonly Uint8Array[]): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    return pieces.map((bytes) => decoder.decode(bytes, { stream: true }))
      .join("") + decoder.decode();
  } catch {
    throw new Error("it is not valid UTF-8");
  }
}

function whyUnreadable(error: unknown): string {
  const { code } = error as { code?: string };
  if (code === "ENOENT") return "no such file";
  if (code === "EISDIR") return "it is a directory";
  if (code === "EACCES") return "permission denied";
  if (code === "ENXIO") return "it is a socket, not a file";
  return error instanceof Error ? error.message : String(error);
}

/** Who else than the server's user and root could change the table. */
async function faultsOf(
  file: string,
  found: Stats,
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  const mounts = await mountsOf();
  const add = async (path: string, message: string | undefined) => {
    if (message === undefined || await isReadOnly(path, mounts)) return;
    problems.push({ file, key: "", message: `${message}, or ${LAST_RESORT}` });
  };
  await add(file, faultOf(found, "it", file));
  for (const folder of await foldersOf(file)) {
    const above = await stat(folder).catch(() => undefined); // not permitted
    if (above === undefined || isShared(above)) continue;
    const what = `the directory ${folder} above it`;
    await add(folder, faultOf(above, what, folder));
  }
  return problems;
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

/** Whether a folder is sticky as /tmp is: users cannot move each other's files. */
function isShared({ mode, uid }: Stats): boolean {
  return (mode & STICKY) !== 0 && isTrusted(uid);
}

function faultOf(
  { mode, uid }: Stats,
  what: string,
  path: string,
): string | undefined {
  if (!isTrusted(uid)) {
    return `${what} belongs to user ${uid}, who could change the table; the ` +
      `owner must be root or the server's user: chown ${ownId()} ${path}`;
  }
  if ((mode & GROUP_OR_OTHERS) === 0) return undefined;
  const text = (mode & 0o7777).toString(8).padStart(4, "0");
  return `${what} is writable by its group or others (mode ${text}), who ` +
    `could change the table: chmod go-w ${path}`;
}

function isTrusted(uid: number): boolean {
  const own = ownId();
  return own === undefined || uid === 0 || uid === own;
}

/** Undefined on a system without users, or without Deno's permission. */
function ownId(): number | undefined {
  return permitted("sys") ? process.geteuid?.() : undefined;
}
