/**
 * Finds on which line of a TOML text each key stands, which the parser does
 * not tell, and which keys stand there twice, which it lets pass. It reads
 * only as much of TOML as that takes; the parser judges the rest.
 */

export interface Located {
  /** The line of every key and table, by {@linkcode pathKey}. */
  readonly lines: ReadonlyMap<string, number>;
  readonly duplicates: readonly Duplicate[];
}

export interface Duplicate {
  readonly path: readonly string[];
  readonly line: number;
  readonly firstLine: number;
}

export type KeyPath = readonly (string | number)[];

/** A path as the key of a map: no key can hold a line feed unescaped. */
export function pathKey(path: KeyPath): string {
  return path.map(String).join("\n");
}

export function locateKeys(text: string): Located {
  const scanner = new Scanner(text);
  scanner.scan();
  return scanner;
}

class Scanner implements Located {
  readonly lines = new Map<string, number>();
  readonly duplicates: Duplicate[] = [];
  /** Keys with a value and `[tables]`, both of which may stand only once. */
  #defined = new Map<string, number>();
  #arrays = new Map<string, number>();
  #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): void {
    let table: string[] = [];
    while (this.#at < this.#text.length) {
      const start = this.#text[this.#at];
      if (start === "[") table = this.#header();
      else if (start !== "#" && !/\s/.test(start!)) {
        const path = [...table, ...this.#keys("=")];
        this.#define(path);
        this.#value(path);
        this.#skipLine();
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
    const path = this.#keys("]");
    if (!isArray) {
      this.#define(path);
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

  /** A dotted key, up to and with `end` or the end of the line. */
  #keys(end: string): string[] {
    const path: string[] = [];
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
        key = unquoted(this.#text.slice(from, this.#at));
        quoted = true;
      } else if (char === ".") {
        path.push(quoted ? key : key.trim());
        [key, quoted] = ["", false];
      } else if (!quoted) key += char;
    }
    path.push(quoted ? key : key.trim());
    return path;
  }

  /** Passes over one value, noting the keys of inline tables. */
  #value(path: readonly string[]): void {
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at]!;
      if (char === "\n" || char === "#" || char === "\r") return;
      if (char === '"' || char === "'") return this.#quotedValue(char);
      if (char === "[" || char === "{") {
        this.#at++;
        this.#inside(char === "[" ? "]" : "}", path);
        return;
      }
      if (char === "," || char === "]" || char === "}") return;
      this.#at++;
    }
  }

  /** The inside of an array or an inline table, up to and with its end. */
  #inside(end: string, path: readonly string[]): void {
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
        const inner = [...path, ...this.#keys("=")];
        this.#define(inner);
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

  #quotedValue(quote: string): void {
    const triple = this.#text.startsWith(quote.repeat(3), this.#at);
    this.#at += triple ? 3 : 1;
    this.#string(quote, triple ? 3 : 1);
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
      if (quote === '"' && this.#text[this.#at] === "\\") this.#step();
      this.#step();
    }
  }

  #define(path: readonly string[]): void {
    const key = pathKey(path);
    const firstLine = this.#defined.get(key);
    if (firstLine !== undefined) {
      this.duplicates.push({ path, line: this.#line, firstLine });
    } else this.#defined.set(key, this.#line);
    this.#note(path);
  }

  /** The first line that speaks of a path or of anything below it. */
  #note(path: readonly string[]): void {
    for (let length = 1; length <= path.length; length++) {
      const key = pathKey(path.slice(0, length));
      if (!this.lines.has(key)) this.lines.set(key, this.#line);
    }
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

function unquoted(text: string): string {
  if (text.startsWith("'")) return text.slice(1, -1);
  try {
    return JSON.parse(text);
  } catch {
    return text.slice(1, -1); // an escape that only TOML has: only the line suffers
  }
}
