import { TcpmuxError } from "../errors.ts";
import { escaped } from "../log.ts";
import { type KeyPath, pathKey } from "./definitions.ts";
import type { Located } from "./locate.ts";

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
  override readonly name = "TableError";
  /** In the order of their lines, as far as these are known. */
  readonly problems: readonly Problem[];

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

  /** The line of a key, or of the innermost table around it that has one. */
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
