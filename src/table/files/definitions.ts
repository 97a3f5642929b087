/** What a TOML text defines, and which definitions contradict each other. */
import { type Located, pathKey } from "../problem.ts";

type Path = readonly string[];

/** Something wrong with the definition of a key. */
export interface Fault {
  readonly path: readonly string[];
  readonly line: number;
  readonly message: string;
}

/** A place in a text where another piece of it may begin. */
export interface Break {
  /** The index of its first character. */
  readonly at: number;
  readonly line: number;
  /** The header of the table that goes on here; empty for the root. */
  readonly header: string;
}

/** The lines of what a text defines, and its faults. */
export interface LocatedText extends Located {
  readonly faults: readonly Fault[];
  /** False if the parser must not see the text: it would misread it. */
  readonly readable: boolean;
  /** Where a table with very many keys may be cut. */
  readonly breaks: readonly Break[];
}

/** Collects them in the order of the text. */
export class Definitions {
  /** The first line that speaks of a key or table, by {@linkcode pathKey}. */
  readonly lines = new Map<string, number>();
  readonly faults: Fault[] = [];
  /** Keys that have a value. Nothing can be added to an inline table either. */
  #values = new Set<string>();
  /** Tables that have a `[header]`. */
  #tables = new Set<string>();
  /** The number of items of each array of tables. */
  #arrays = new Map<string, number>();

  /**
   * `key = value`, or the same in an inline table.
   *
   * @param table how many keys of the path are those of the table around it
   */
  value(path: Path, table: number, line: number): void {
    const key = pathKey(path);
    if (!this.#isBelowValue(path, key, table, line)) {
      this.#once(path, key, line);
    }
    this.#values.add(key);
    this.mention(path, line, key);
  }

  /** `[header]` */
  table(path: Path, line: number): void {
    const key = pathKey(path);
    const first = this.lines.get(key);
    if (this.#isBelowValue(path, key, 0, line)) return;
    const isNew = first === undefined;
    if (isNew || this.#tables.has(key) || this.#values.has(key)) {
      this.#once(path, key, line);
    } else {
      this.fault(
        path,
        line,
        `must come before line ${first}, which puts something into it`,
      );
    }
    this.#tables.add(key);
    this.mention(path, line, key);
  }

  /**
   * `[[header]]`
   *
   * @returns the path of this item of the array
   */
  item(path: Path, line: number): string[] {
    const key = pathKey(path);
    const index = this.#arrays.get(key) ?? 0;
    this.#arrays.set(key, index + 1);
    const item = [...path, String(index)];
    this.mention(item, line);
    return item;
  }

  /** Remembers the line for the path and for all that is around it. */
  mention(path: Path, line: number, key = pathKey(path)): void {
    for (let part = key, length = path.length; length > 0; length--) {
      if (this.lines.has(part)) return; // and all that is around it
      this.lines.set(part, line);
      part = part.slice(0, part.lastIndexOf("\n"));
    }
  }

  fault(path: Path, line: number, message: string): void {
    this.faults.push({ path, line, message });
  }

  /** A second definition is a fault. */
  #once(path: Path, key: string, line: number): void {
    const first = this.lines.get(key);
    if (first !== undefined) {
      this.fault(path, line, `is already defined in line ${first}`);
    }
  }

  /** Whether a part of the path has a value already, which is a fault. */
  #isBelowValue(
    path: Path,
    key: string,
    table: number,
    line: number,
  ): boolean {
    let end = -1;
    for (let length = 1; length < path.length; length++) {
      end = key.indexOf("\n", end + 1);
      if (length <= table || !this.#values.has(key.slice(0, end))) continue;
      this.#once(path.slice(0, length), key.slice(0, end), line);
      return true;
    }
    return false;
  }
}
