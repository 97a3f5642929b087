/** The places in a table, and what is wrong there. */
import { TcpmuxError } from "../errors.ts";
import { escaped } from "../log.ts";

/** A path of keys, and of indexes in arrays, such as `services`, `ssh`. */
export type KeyPath = readonly (string | number)[];

/**
 * A path as the key of a map: its parts, with a line feed between two. A part that
 * has one itself, by an escape, is written as JSON.
 */
export function pathKey(path: KeyPath): string {
  return path.some(hasFeed)
    ? path.map((part) => hasFeed(part) ? JSON.stringify(part) : part).join("\n")
    : path.join("\n");
}

function hasFeed(part: string | number): boolean {
  return typeof part === "string" && part.includes("\n");
}

/** Where the keys of a table stand. */
export interface Located {
  /** The line of every key and table, by `pathKey`. */
  readonly lines: ReadonlyMap<string, number>;
  /** Of the services that stand in other files, by their names. */
  readonly elsewhere?: ReadonlyMap<string, LocatedFile>;
  /** By what the command line overrides keys of `[server]`, by their names. */
  readonly overridden?: ReadonlyMap<string, string>;
}

/** A file and the lines of what it defines. */
export interface LocatedFile {
  readonly file: string;
  readonly located: Located;
}

/** One thing that is wrong with a table. */
export interface Problem {
  /** The name of the file; missing for a table of objects. */
  readonly file?: string;
  /** Counted from 1; missing where the problem has no line. */
  readonly line?: number;
  /** The key, such as `services.ssh.connect`; empty for the whole table. */
  readonly key: string;
  /** What is wrong, and what is allowed instead. */
  readonly message: string;
}

/** A table is wrong (code `invalid_table`): `problems` has every fault of it. */
export class TableError extends TcpmuxError {
  /** What stands before the message where the error is printed. */
  override readonly name: string = "TableError";
  /** In the order of their lines, as far as these are known. */
  readonly problems: readonly Problem[];

  /**
   * Of all that is wrong with a table.
   *
   * @param problems each is a line of the message
   */
  constructor(problems: readonly Problem[]) {
    super("invalid_table", problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** `file:line: key: message` in one line, as compilers write errors. */
export function formatProblem(problem: Problem): string {
  const { file, line, key, message } = problem;
  const place = [file, line].filter((part) => part !== undefined).join(":");
  const parts = [place, key, message].filter((part) => part !== "");
  return escaped(parts.join(": "));
}

/** A path in the form of a TOML key: `a.b."c d"[0]`. */
export function formatPath(path: KeyPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else {
      const key = /^[A-Za-z0-9_-]+$/.test(part) ? part : JSON.stringify(part);
      text += text === "" ? key : `.${key}`;
    }
  }
  return text;
}

/** Collects problems, and finds the line of each in its file. */
export class Problems {
  readonly all: Problem[] = [];
  #file: string | undefined;
  #located: Located | undefined;

  constructor(file?: string, located?: Located) {
    this.#file = file;
    this.#located = located;
  }

  /** Whether the table is that of a file, or of TOML text; or objects. */
  get areOfFile(): boolean {
    return this.#file !== undefined;
  }

  add(path: KeyPath, message: string): void {
    const [section, key] = path;
    const flag = section === "server"
      ? this.#located?.overridden?.get(String(key))
      : undefined;
    if (flag !== undefined) {
      return this.#add(undefined, undefined, [flag], message);
    }
    const { file, line } = this.#placeOf(path);
    this.#add(file, line, path, message);
  }

  addAt(line: number | undefined, path: KeyPath, message: string): void {
    this.#add(this.#file, line, path, message);
  }

  #add(
    file: string | undefined,
    line: number | undefined,
    path: KeyPath,
    message: string,
  ): void {
    this.all.push({
      ...(file === undefined ? {} : { file }),
      ...(line === undefined ? {} : { line }),
      key: formatPath(path),
      message,
    });
  }

  /** The line of a key, or of the innermost table around it that has one. */
  lineOf(path: KeyPath): number | undefined {
    return this.#placeOf(path).line;
  }

  /** `file:line` of a key, as far as it is known. */
  placeOf(path: KeyPath): string {
    const { file, line } = this.#placeOf(path);
    return [file, line].filter((part) => part !== undefined).join(":");
  }

  #placeOf(path: KeyPath): { file: string | undefined; line?: number } {
    const [section, name] = path;
    const { file = this.#file, located = this.#located } =
      (section === "services"
        ? this.#located?.elsewhere?.get(String(name))
        : undefined) ?? {};
    for (let length = path.length; length > 0; length--) {
      const key = pathKey(path.slice(0, length));
      const line = located?.lines.get(key);
      if (line !== undefined) return { file, line };
    }
    return located === undefined ? { file } : { file, line: 1 };
  }

  /** @throws {TableError} if there are any, in the order of their lines */
  throwIfAny(): void {
    if (this.all.length > 0) throw new TableError(this.sorted());
  }

  /** In the order of their lines. */
  sorted(): Problem[] {
    return this.all.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
  }
}
