/**
 * Finds the line of each key in a TOML text, which the parser does not give. It
 * understands only as much of TOML as that needs. It ignores what the parser
 * rejects, and reports what the parser would misread without an error.
 */
import { type Break, Definitions, type LocatedText } from "./definitions.ts";

/** @param pieceKeys keys of one table between two breaks */
export function locateKeys(text: string, pieceKeys = 128): LocatedText {
  const scanner = new Scanner(text);
  scanner.scan(pieceKeys);
  const { lines, faults } = scanner.definitions;
  const { readable, breaks } = scanner;
  return { lines, faults, readable, breaks };
}

/** The most keys in a path. It bounds a recursion; no valid table has as many. */
const DEEPEST = 16;

/** It has members already, `__proto__` among them. */
const EVERY_OBJECT = {};

const BLANKS = /[ \t]+/y;
/** Between two statements. */
const EMPTY = /\s+|#[^\n]*/y;
/** Between two items of an array or an inline table. */
const SEPARATOR = /[\s,]+|#[^\n]*/y;
/** The rest of a line behind a statement. */
const END_OF_LINE = /[ \t\r]*(?:#[^\n]*)?(?:\n|$)/y;
const REST_OF_LINE = /[^\n]*/y;
/** A bare key with blanks around it, up to a dot, a quote or the key's end. */
const BARE_KEY = { "=": /[^=."'\n]+/y, "]": /[^\]."'\n]+/y };
/** A number, a truth value or a date; a date may hold one blank. */
const BARE_VALUE = /[^\s,\]}#="'[{]+(?: \d[^\s,\]}#="'[{]*)?/y;
/**
 * An escape that the parser reads correctly. It reads only six of the eight
 * digits of `\U`, and accepts wrong digits and numbers that are no characters.
 */
const NUMBERED_ESCAPE = /\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}/y;

class Scanner {
  readonly definitions = new Definitions();
  readable = true;
  readonly breaks: Break[] = [];
  #text: string;
  /** The place of the next character, and its line. */
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  scan(pieceKeys: number): void {
    let table: string[] = [];
    let header = "";
    let keys = 0;
    for (;;) {
      while (this.#take(EMPTY) !== "");
      const [next, at, line] = [this.#next(), this.#at, this.#line];
      if (next === undefined) return;
      if (next === "[") {
        table = this.#header();
        header = this.#text.slice(at, this.#at);
        keys = 0;
        continue;
      }
      // The header of an array stands for another item each time.
      const isBreak = keys > 0 && keys % pieceKeys === 0;
      if (isBreak && !header.startsWith("[[")) {
        this.breaks.push({ at, line, header });
      }
      keys++;
      this.#definition(table);
    }
  }

  /** @returns the path of the table that begins here */
  #header(): string[] {
    const isArray = this.#text.startsWith("[[", this.#at);
    this.#at += isArray ? 2 : 1;
    const path = this.#keys("]", []);
    if (isArray && this.#next() === "]") this.#at++;
    this.#endOfLine(path);
    if (isArray) return this.definitions.item(path, this.#line);
    this.definitions.table(path, this.#line);
    return path;
  }

  #definition(table: readonly string[]): void {
    const path = this.#keys("=", table);
    this.definitions.value(path, table.length, this.#line);
    this.#value(path);
    this.#endOfLine(path);
  }

  /** The keys of `a.b."c"` behind those of the table, up to and with `end`. */
  #keys(end: "=" | "]", table: readonly string[]): string[] {
    const path = [...table];
    do {
      path.push(this.#key(end, path));
      if (path.length > DEEPEST) return this.#tooDeep(path);
    } while (this.#takeChar("."));
    this.#takeChar(end);
    for (let at = table.length; at < path.length; at++) {
      if (path[at] !== "" && !(path[at]! in EVERY_OBJECT)) continue;
      this.#refuse(path, "is not allowed as the name of a key");
      break;
    }
    return path;
  }

  #key(end: "=" | "]", path: readonly string[]): string {
    let key = this.#take(BARE_KEY[end]).trim();
    for (let next = this.#next(); isQuote(next); next = this.#next()) {
      const start = this.#at;
      this.#string(next, 1);
      const text = this.#text.slice(start, this.#at);
      const unquoted = unquote(text);
      if (unquoted === undefined) {
        const why = `cannot be read: ${text}${escapeHint(text)}`;
        this.#refuse([...path], `has a key that ${why}`);
      }
      key = unquoted ?? text;
      this.#take(BARE_KEY[end]);
    }
    return key;
  }

  #value(path: readonly string[]): void {
    this.#take(BLANKS);
    const next = this.#next();
    if (isQuote(next)) this.#stringValue(next, path);
    else if (next === "[") this.#array(path);
    else if (next === "{") this.#inlineTable(path);
    else this.#take(BARE_VALUE);
  }

  #array(path: readonly string[]): void {
    this.#at++;
    if (path.length === DEEPEST) this.#tooDeep(path);
    for (let index = 0; !this.#isOver("]"); index++) {
      const item = [...path, String(index)];
      this.definitions.mention(item, this.#line);
      const start = this.#at;
      this.#value(item);
      if (this.#at === start) this.#at++; // a character that begins no value
    }
  }

  #inlineTable(path: readonly string[]): void {
    this.#at++;
    if (path.length === DEEPEST) this.#tooDeep(path);
    while (!this.#isOver("}")) {
      const inner = this.#keys("=", path);
      this.definitions.value(inner, path.length, this.#line);
      this.#value(inner);
    }
  }

  /** Whether an array or an inline table ends here, before its next item. */
  #isOver(end: "]" | "}"): boolean {
    for (;;) {
      if (this.#take(SEPARATOR) !== "") continue;
      const next = this.#next();
      if (next === undefined || this.#takeChar(end)) return true;
      if (next !== "]" && next !== "}") return false;
      this.#at++; // that of another
    }
  }

  #stringValue(quote: string, path: readonly string[]): void {
    const isMultiline = this.#text.startsWith(quote.repeat(3), this.#at);
    if (this.#string(quote, isMultiline ? 3 : 1)) return;
    this.#refuse(
      path,
      "has an escape that is not supported: write the character itself, or " +
        "\\u and four hexadecimal digits",
    );
  }

  /** @returns whether the parser reads its escapes right */
  #string(quote: string, quotes: 1 | 3): boolean {
    const close = quote.repeat(quotes);
    let isReadable = true;
    this.#at += quotes;
    while (
      this.#next() !== undefined && !(quotes === 1 && this.#next() === "\n")
    ) {
      if (this.#text.startsWith(close, this.#at)) {
        this.#at += quotes;
        // Up to two more quotes may belong to a multi-line string.
        while (quotes === 3 && this.#takeChar(quote));
        break;
      }
      if (quote === '"' && this.#next() === "\\") {
        NUMBERED_ESCAPE.lastIndex = this.#at;
        const isNumbered = /u/i.test(this.#text[this.#at + 1] ?? "");
        if (isNumbered && !NUMBERED_ESCAPE.test(this.#text)) isReadable = false;
        this.#step();
      }
      this.#step();
    }
    return isReadable;
  }

  /** A statement fills the rest of its line. */
  #endOfLine(path: readonly string[]): void {
    END_OF_LINE.lastIndex = this.#at;
    if (!END_OF_LINE.test(this.#text)) {
      this.#refuse(path, "is followed by something else on the same line");
    }
    this.#take(REST_OF_LINE);
  }

  /** Ends the scan, and names enough of the path to find it. */
  #tooDeep(path: readonly string[]): string[] {
    const start = path.slice(0, 3);
    this.#refuse(start, "is nested too deeply");
    this.#at = this.#text.length;
    return start;
  }

  #refuse(path: readonly string[], message: string): void {
    this.readable = false;
    this.definitions.fault(path, this.#line, message);
  }

  #next(): string | undefined {
    return this.#text[this.#at];
  }

  #step(): void {
    if (this.#next() === "\n") this.#line++;
    this.#at++;
  }

  #takeChar(char: string): boolean {
    if (this.#next() !== char) return false;
    this.#at++;
    return true;
  }

  /** The text that matches here; empty if none does. */
  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [text = ""] = pattern.exec(this.#text) ?? [];
    for (const char of text) if (char === "\n") this.#line++;
    this.#at += text.length;
    return text;
  }
}

function isQuote(char: string | undefined): char is string {
  return char === '"' || char === "'";
}

/** Undefined where JSON cannot read the text, as an escape of eight digits. */
function unquote(text: string): string | undefined {
  if (text.startsWith("'")) return text.slice(1, -1);
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** How TOML 1.0 writes the first escape that only TOML 1.1 has; empty for none. */
export function escapeHint(text: string): string {
  const [escape, digits = "1b"] =
    /\\(?:e|x([0-9a-f]{2}))/i.exec(text.replaceAll("\\\\", "  ")) ?? [];
  return escape === undefined
    ? ""
    : ` (tcpmux reads TOML 1.0, which writes \\u00${digits} for ${escape})`;
}
