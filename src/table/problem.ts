import { TcpmuxError } from "../errors.ts";
import { escaped } from "../log.ts";
import { type KeyPath, type Located, pathKey } from "./locate.ts";

/** One thing that is wrong with a table. */
export interface Problem {
  /** The file as it was named, or `services.toml` for the embedded one. */
  readonly file?: string;
  readonly line?: number;
  /** Such as `services.ssh.connect`; empty for the table as a whole. */
  readonly key: string;
  /** What is wrong, and what is allowed instead. */
  readonly message: string;
}

/** A table that cannot be used, with everything that is wrong with it. */
export class TableError extends TcpmuxError {
  override readonly name = "TableError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super("invalid_table", problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

/** `file:line: key: message`, as compilers and editors know it: one line. */
export function formatProblem(problem: Problem): string {
  const { file, line, key, message } = problem;
  const place = [file, line].filter((part) => part !== undefined).join(":");
  const parts = [place, key, message].filter((part) => part !== "");
  return escaped(parts.join(": "));
}

/** `a.b."c d"[0]`, as the table would write it. */
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

/** Gathers problems and says where in the file each of them stands. */
export class Problems {
  readonly all: Problem[] = [];
  #file: string | undefined;
  #located: Located | undefined;

  constructor(file?: string, located?: Located) {
    this.#file = file;
    this.#located = located;
  }

  add(path: KeyPath, message: string): void {
    this.addAt(this.lineOf(path), path, message);
  }

  addAt(line: number | undefined, path: KeyPath, message: string): void {
    this.all.push({
      ...(this.#file === undefined ? {} : { file: this.#file }),
      ...(line === undefined ? {} : { line }),
      key: formatPath(path),
      message,
    });
  }

  /** The line of a path, or of the nearest that stands around it. */
  lineOf(path: KeyPath): number | undefined {
    for (let length = path.length; length > 0; length--) {
      const key = pathKey(path.slice(0, length));
      const line = this.#located?.lines.get(key);
      if (line !== undefined) return line;
    }
    return this.#located === undefined ? undefined : 1;
  }

  /** @throws {TableError} if there are any, in the order of their lines */
  throwIfAny(): void {
    if (this.all.length === 0) return;
    throw new TableError(
      this.all.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)),
    );
  }
}
