/**
 * Finds on which line of a TOML text each key stands, which the parser does
 * not tell, and what is no TOML but the parser lets pass, or stumbles over.
 * It reads only as much of TOML as that takes; the parser judges the rest.
 */

export interface Located {
  /** The line of every key and table, by {@linkcode pathKey}. */
  readonly lines: ReadonlyMap<string, number>;
  readonly faults: readonly Fault[];
  /** False where the parser would do harm: `__proto__` reaches all objects. */
  readonly readable: boolean;
}

export interface Fault {
  readonly path: readonly string[];
  readonly line: number;
  readonly message: string;
}

export type KeyPath = readonly (string | number)[];

/** A path as the key of a map: no key can hold a line feed unescaped. */
export function pathKey(path: KeyPath): string {
  return path.map(String).join("\n");
}

/** The longest path; no table that is right comes near it. */
const DEEPEST = 16;

/** A value that is no string, array or table; a date may hold one blank. */
const BARE_VALUE = /[^\s,\]}#="'[{]+(?: \d[^\s,\]}#="'[{]*)?/y;

/**
 * A character by its number. The parser reads six of the eight digits of
 * `\U`, and takes what is no digit or no character.
 */
const ESCAPE = /\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}/y;

const END_OF_LINE = /[ \t\r]*(?:#[^\n]*)?(?:\n|$)/y;

export function locateKeys(text: string): Located {
  const scanner = new Scanner(text);
  scanner.scan();
  return scanner;
}

class Scanner implements Located {
  readonly lines = new Map<string, number>();
  readonly faults: Fault[] = [];
  readable = true;
  /** Keys with a value, below which nothing more may be defined. */
  #values = new Set<string>();
  /** Every `[table]`. */
  #tables = new Set<string>();
  #arrays = new Map<string, number>();
  #text: string;
  #at = 0;
  #line = 1;
  #misread = false;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): void {
    let table: string[] = [];
    while (this.#at < this.#text.length) {
      const start = this.#text[this.#at];
      if (start === "[") table = this.#header();
      else if (start !== "#" && !/\s/.test(start!)) {
        const path = this.#keys("=", table);
        this.#defineValue(path, table.length);
        this.#value(path);
        this.#endLine(path);
        continue;
      } else if (start !== "#") {
        this.#step();
        continue;
      }
      this.#skipLine();
    }
  }

  #header(): string[] {
    const isArray = this.#text.startsWith("[[", this.#at);
    this.#at += isArray ? 2 : 1;
    const path = this.#keys("]", []);
    if (isArray && this.#text[this.#at] === "]") this.#at++;
    this.#endLine(path);
    if (!isArray) {
      this.#defineTable(path);
      return path;
    }
    const key = pathKey(path);
    const index = this.#arrays.get(key) ?? 0;
    this.#arrays.set(key, index + 1);
    this.#note(path);
    const item = [...path, String(index)];
    this.#note(item);
    return item;
  }

  /** A dotted key below `base`, up to and with `end` or the line's end. */
  #keys(end: string, base: readonly string[]): string[] {
    const path = [...base];
    let key = "";
    let quoted = false;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]!;
      if (char === "\n") break;
      this.#at++;
      if (char === end) break;
      if (char === '"' || char === "'") {
        const from = this.#at - 1;
        this.#string(char, 1);
        const text = this.#text.slice(from, this.#at);
        const read = unquoted(text);
        if (read === undefined) {
          this.#refuse([...path], `has a key that cannot be read: ${text}`);
        }
        [key, quoted] = [read ?? text, true];
      } else if (char === ".") {
        path.push(quoted ? key : key.trim());
        if (path.length > DEEPEST) return this.#tooDeep(path);
        [key, quoted] = ["", false];
      } else if (!quoted) key += char;
    }
    path.push(quoted ? key : key.trim());
    if (path.length > DEEPEST) return this.#tooDeep(path);
    if (path.slice(base.length).some((part) => part === "" || part in {})) {
      this.#refuse(path, "is a name that no key may have");
    }
    return path;
  }

  /** Passes over one value, noting the keys of inline tables. */
  #value(path: readonly string[]): void {
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]!;
      if (char === "\n" || char === "#" || char === "\r") return;
      if (char === '"' || char === "'") {
        return this.#quotedValue(char, path);
      }
      if (char === "[" || char === "{") {
        this.#at++;
        this.#inside(char === "[" ? "]" : "}", path);
        return;
      }
      if (char !== " " && char !== "\t") return this.#pass(BARE_VALUE);
      this.#at++;
    }
  }

  /** The inside of an array or an inline table, up to and with its end. */
  #inside(end: string, path: readonly string[]): void {
    if (path.length === DEEPEST) this.#tooDeep(path);
    let index = 0;
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]!;
      if (char === end) {
        this.#at++;
        return;
      }
      if (char === "#") this.#skipLine();
      else if (/[\s,]/.test(char)) this.#step();
      else if (char === "]" || char === "}") this.#at++;
      else if (end === "}") {
        const inner = this.#keys("=", path);
        this.#defineValue(inner, path.length);
        this.#value(inner);
      } else {
        const item = [...path, String(index++)];
        this.#note(item);
        const before = this.#at;
        this.#value(item);
        if (this.#at === before) this.#at++;
      }
    }
  }

  #quotedValue(quote: string, path: readonly string[]): void {
    const triple = this.#text.startsWith(quote.repeat(3), this.#at);
    this.#at += triple ? 3 : 1;
    this.#misread = false;
    this.#string(quote, triple ? 3 : 1);
    if (!this.#misread) return;
    this.#refuse(
      path,
      "has an escape that cannot be read: write the character itself, or \\u " +
        "and the four digits of one",
    );
  }

  /** Up to and with the closing quotes. */
  #string(quote: string, count: number): void {
    const close = quote.repeat(count);
    while (this.#at < this.#text.length) {
      if (this.#text.startsWith(close, this.#at)) {
        this.#at += count;
        // Up to two more quotes may belong to a multi-line string.
        while (count === 3 && this.#text[this.#at] === quote) this.#at++;
        return;
      }
      if (count === 1 && this.#text[this.#at] === "\n") return;
      if (quote === '"' && this.#text[this.#at] === "\\") {
        const isNumber = /u/i.test(this.#text[this.#at + 1] ?? "");
        ESCAPE.lastIndex = this.#at;
        if (isNumber && !ESCAPE.test(this.#text)) this.#misread = true;
        this.#step();
      }
      this.#step();
    }
  }

  /** @param known how many keys of the path are the table it stands in */
  #defineValue(path: readonly string[], known: number): void {
    if (!this.#belowValue(path, known)) this.#onlyOnce(path);
    this.#values.add(pathKey(path));
    this.#note(path);
  }

  #defineTable(path: readonly string[]): void {
    const key = pathKey(path);
    const below = this.lines.get(key);
    if (this.#belowValue(path, 0)) return;
    if (
      below === undefined || this.#tables.has(key) || this.#values.has(key)
    ) this.#onlyOnce(path);
    else this.#fault(path, `must stand before what line ${below} puts in it`);
    this.#tables.add(key);
    this.#note(path);
  }

  #onlyOnce(path: readonly string[]): void {
    const first = this.lines.get(pathKey(path));
    if (first !== undefined) {
      this.#fault(path, `is defined in line ${first} already`);
    }
  }

  /** Whether part of the path has a value already, and no room for more. */
  #belowValue(path: readonly string[], known: number): boolean {
    for (let length = known + 1; length < path.length; length++) {
      const part = path.slice(0, length);
      if (!this.#values.has(pathKey(part))) continue;
      this.#onlyOnce(part);
      return true;
    }
    return false;
  }

  /** Ends the scan, and names enough of the path to find it. */
  #tooDeep(path: readonly string[]): string[] {
    const start = path.slice(0, 3);
    this.#refuse(start, "is nested too deeply");
    this.#at = this.#text.length;
    return start;
  }

  #fault(path: readonly string[], message: string): void {
    this.faults.push({ path, line: this.#line, message });
  }

  #refuse(path: readonly string[], message: string): void {
    this.readable = false;
    this.#fault(path, message);
  }

  /** The first line that speaks of a path or of anything below it. */
  #note(path: readonly string[]): void {
    for (let length = 1; length <= path.length; length++) {
      const key = pathKey(path.slice(0, length));
      if (!this.lines.has(key)) this.lines.set(key, this.#line);
    }
  }

  /** A definition fills the rest of its line. */
  #endLine(path: readonly string[]): void {
    END_OF_LINE.lastIndex = this.#at;
    if (!END_OF_LINE.test(this.#text)) {
      this.#refuse(path, "has something behind it in the same line");
    }
    this.#skipLine();
  }

  #pass(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    if (pattern.test(this.#text)) this.#at = pattern.lastIndex;
  }

  #skipLine(): void {
    while (this.#at < this.#text.length && this.#text[this.#at] !== "\n") {
      this.#at++;
    }
  }

  #step(): void {
    if (this.#text[this.#at] === "\n") this.#line++;
    this.#at++;
  }
}

/** Undefined for what only TOML can read, such as an escape of eight digits. */
function unquoted(text: string): string | undefined {
  if (text.startsWith("'")) return text.slice(1, -1);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
