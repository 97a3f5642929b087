/** A path of keys, and of indexes in arrays, such as `services`, `ssh`. */
export type KeyPath = readonly (string | number)[];

/** A path as the key of a map: no key can hold a line feed unescaped. */
export function pathKey(path: KeyPath): string {
  return path.map(String).join("\n");
}

/** Something wrong with the definition of a key. */
export interface Fault {
  readonly path: readonly string[];
  readonly line: number;
  readonly message: string;
}

type Path = readonly string[];

/** The definitions of a TOML text, and which of them contradict each other. */
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
    if (!this.#isBelowValue(path, table, line)) this.#once(path, line);
    this.#values.add(pathKey(path));
    this.mention(path, line);
  }

  /** `[header]` */
  table(path: Path, line: number): void {
    const key = pathKey(path);
    const first = this.lines.get(key);
    if (this.#isBelowValue(path, 0, line)) return;
    const isNew = first === undefined;
    if (isNew || this.#tables.has(key) || this.#values.has(key)) {
      this.#once(path, line);
    } else {
      this.fault(path, line, `must stand before what line ${first} puts in it`);
    }
    this.#tables.add(key);
    this.mention(path, line);
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
  mention(path: Path, line: number): void {
    for (let length = 1; length <= path.length; length++) {
      const key = pathKey(path.slice(0, length));
      if (!this.lines.has(key)) this.lines.set(key, line);
    }
  }

  fault(path: Path, line: number, message: string): void {
    this.faults.push({ path, line, message });
  }

  /** A second definition is a fault. */
  #once(path: Path, line: number): void {
    const first = this.lines.get(pathKey(path));
    if (first !== undefined) {
      this.fault(path, line, `is defined in line ${first} already`);
    }
  }

  /** Whether a part of the path has a value already, which is a fault. */
  #isBelowValue(path: Path, table: number, line: number): boolean {
    for (let length = table + 1; length < path.length; length++) {
      const part = path.slice(0, length);
      if (!this.#values.has(pathKey(part))) continue;
      this.#once(part, line);
      return true;
    }
    return false;
  }
}
