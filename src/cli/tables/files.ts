/** The files that a table stands in: read with care, and known again. */
import { constants } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Problem, TableError } from "../../table/problem.ts";
import { Writers } from "./writers.ts";

const { O_NONBLOCK, O_RDONLY } = constants;

/**
 * Milliseconds within which a second change of a file may not show: file
 * systems tell the time in steps.
 */
const CLOCK_STEP = 50;

/** What stands for other characters in the last part of a path. */
const WILD = /[*?]/;

/** What was read as one table. */
export class TableFiles {
  /** Who else could change it. */
  readonly faults: Problem[] = [];
  readonly #isStrict: boolean;
  readonly #writers = new Writers();
  /** How each file was found, by its path. */
  readonly #marks = new Map<string, string>();
  /** The files that each pattern has matched. */
  readonly #matches = new Map<string, readonly string[]>();

  /** @param isStrict whether what others can write is an error */
  constructor(isStrict: boolean) {
    this.#isStrict = isStrict;
  }

  /** The paths of files and patterns: where a change may come. */
  get paths(): readonly string[] {
    return [...this.#marks.keys(), ...this.#matches.keys()];
  }

  /**
   * Reads one file. A pipe in its place does not hold up who opens it.
   *
   * @throws where it cannot be read, {@linkcode whyUnreadable} says why; a
   * {@linkcode TableError} says who else may change it
   */
  async read(path: string): Promise<string> {
    this.#marks.set(path, await markOf(path));
    const opened = await open(path, O_RDONLY | O_NONBLOCK);
    try {
      const found = await opened.stat();
      if (!found.isFile() && !found.isDirectory()) {
        throw new Error("it is a pipe or a device, not a file");
      }
      if (found.isFile()) {
        this.#judge(await this.#writers.faultsOf(path, found));
      }
      return decoded([await opened.readFile()]);
    } finally {
      await opened.close();
    }
  }

  /**
   * The files that a pattern matches, in the order of their bytes. As in a
   * shell, only a pattern that begins with a dot matches such a name.
   *
   * @param table the file that has the pattern
   * @throws as {@linkcode read} does
   */
  async matching(pattern: string, table: string): Promise<readonly string[]> {
    this.#matches.set(pattern, []);
    this.#judge(await this.#writers.faultsOfFolder(dirname(pattern), table));
    const found = await matchesOf(pattern);
    this.#matches.set(pattern, found);
    return found;
  }

  #judge(faults: readonly Problem[]): void {
    this.faults.push(...faults);
    if (this.#isStrict && faults.length > 0) throw new TableError(faults);
  }

  /** Whether reading them again may give something else. */
  async haveChanged(): Promise<boolean> {
    for (const [pattern, known] of this.#matches) {
      const found = await matchesOf(pattern).catch(() => []);
      if (found.join("\0") !== known.join("\0")) return true;
    }
    for (const [path, known] of this.#marks) {
      if (known === UNCERTAIN || await markOf(path) !== known) return true;
    }
    return false;
  }
}

/** Whether a path stands for the files that it matches. */
export function isPattern(path: string): boolean {
  return WILD.test(basename(path));
}

async function matchesOf(pattern: string): Promise<string[]> {
  const name = basename(pattern);
  const words = name.split(/([*?])/).map((part) =>
    part === "*" ? ".*" : part === "?" ? "." : escaped(part)
  );
  const form = new RegExp(`^${words.join("")}$`, "su");
  const isHidden = (entry: string) => entry.startsWith(".");
  const entries = await readdir(dirname(pattern)).catch((error) => {
    if (error.code === "ENOENT") return []; // it matches nothing yet
    throw error;
  });
  return entries
    .filter((entry) => form.test(entry) && isHidden(entry) === isHidden(name))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((entry) => join(dirname(pattern), entry));
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

/** The mark of a file that may change once more without another mark. */
const UNCERTAIN = "uncertain";

/** What a change of a file changes, or of what stands in its place. */
async function markOf(path: string): Promise<string> {
  const now = Date.now();
  try {
    const { dev, ino, mode, uid, size, mtimeMs } = await stat(path);
    return Math.abs(now - mtimeMs) < CLOCK_STEP
      ? UNCERTAIN
      : [dev, ino, mode, uid, size, mtimeMs].join(" ");
  } catch (error) {
    return whyUnreadable(error);
  }
}

/** TOML is UTF-8; any other encoding would only show as odd characters. */
export function decoded(pieces: readonly Uint8Array[]): string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    return pieces.map((bytes) => decoder.decode(bytes, { stream: true }))
      .join("") + decoder.decode();
  } catch {
    throw new Error("it is not valid UTF-8");
  }
}

export function whyUnreadable(error: unknown): string {
  const { code, errno } = error as { code?: string; errno?: string };
  if (code === "ENOENT") return "no such file";
  if (code === "ENOTDIR") return "a part of its path is not a directory";
  if ([code, errno].includes("EISDIR")) return "it is a directory";
  if (code === "EACCES") return "permission denied";
  if (code === "ELOOP") return "it is a loop of symbolic links";
  if (code === "ENXIO") return "it is a socket, not a file";
  return error instanceof Error ? error.message : String(error);
}
