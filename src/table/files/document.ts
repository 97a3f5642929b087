/** Reads a TOML file. */
import { parse } from "@std/toml";
import { isTable } from "../keys.ts";
import { type Located, Problems, TableError } from "../problem.ts";
import type { Break } from "./definitions.ts";
import { escapeHint, locateKeys } from "./locate.ts";

/** A TOML file that could be read, and where to put what is wrong with it. */
export interface Document {
  /** The name that errors give it. */
  readonly file: string;
  readonly value: Record<string, unknown>;
  readonly problems: Problems;
  /** The lines of its keys. */
  readonly located: Located;
}

/**
 * Reads a TOML file.
 *
 * @param file the name that errors give it
 * @throws {TableError} if the text is not TOML
 */
export function readDocument(text: string, file: string): Document {
  const located = locateKeys(text);
  const problems = new Problems(file, located);
  const lines = text.split("\n");
  for (const { path, line, message } of located.faults) {
    const hint = hintFor(lines[line - 1] ?? "");
    problems.addAt(line, path, `${message}${hint}`);
  }
  if (!located.readable) problems.throwIfAny();
  const toml = readToml(text, located.breaks);
  if (!toml.ok) {
    const { line, message } = toml.error;
    // Our own message names the key and the line, the parser's does not.
    if (toml.error.clash) problems.throwIfAny();
    throw new TableError([{ file, line, key: "", message }]);
  }
  return { file, value: toml.value, problems, located };
}

/** Why the parser does not take a text. */
export interface TomlError {
  readonly line: number;
  readonly message: string;
  /** Two definitions contradict each other; the line is not known. */
  readonly clash: boolean;
}

export type TomlResult =
  | { readonly ok: true; readonly value: Record<string, unknown> }
  | { readonly ok: false; readonly error: TomlError };

/**
 * Reads TOML; never throws. For each key of a table, the parser copies those
 * before it: a table with thousands of keys is read in pieces.
 */
export function readToml(
  text: string,
  breaks: readonly Break[] = [],
): TomlResult {
  const value = {};
  for (const piece of piecesOf(text, breaks)) {
    try {
      merge(value, parse(piece));
    } catch (thrown) {
      const error = located(thrown, piece);
      // Of an array of tables that another piece begins, a piece knows nothing.
      const isWhole = breaks.length === 0 || !error.clash;
      return isWhole ? { ok: false, error } : readToml(text);
    }
  }
  return { ok: true, value };
}

/** The pieces of a text; each line has the number that it has in the text. */
function piecesOf(text: string, breaks: readonly Break[]): string[] {
  const ends = [...breaks.map(({ at }) => at), text.length];
  // A byte order mark may stand before TOML, but the parser rejects it.
  const first = text.slice(0, ends[0]).replace(/^\uFEFF/, "");
  const others = breaks.map(({ at, line, header }, index) =>
    header + "\n".repeat(line - 1) + text.slice(at, ends[index + 1])
  );
  return [first, ...others];
}

/** Adds what a later piece of a text defines. */
function merge(into: Record<string, unknown>, more: object): void {
  for (const [key, value] of Object.entries(more)) {
    const old = into[key];
    const place = Array.isArray(old) ? old.at(-1) : old;
    if (Array.isArray(old) && Array.isArray(value)) old.push(...value);
    else if (isTable(place) && isTable(value)) merge(place, value);
    else into[key] = value;
  }
}

/** Characters of a line for which there is no hint: it is no mistake of a hand. */
const LONG = 200;

/** The parser's message about white space that TOML does not allow. */
const BLANK = /invalid whitespace at position '(\d+)': `\\u([0-9a-f]+)`/;

/** What the parser says about syntax that is new in TOML 1.1. */
const LATER =
  /^Not closed by "}"|^Invalid token after ","|^Invalid escape sequence: \\[ex]/;
const LATER_HINT = " (perhaps this is TOML 1.1; tcpmux reads TOML 1.0: an " +
  "inline table is on one line and has no comma at its end)";

function located(error: unknown, source: string): TomlError {
  const message = error instanceof Error ? error.message : String(error);
  const [, position, code] = BLANK.exec(message) ?? [];
  if (code !== undefined) {
    const line = source.slice(0, Number(position)).split("\n").length;
    const name = `U+${code.toUpperCase().padStart(4, "0")}`;
    const what = name === "U+000D"
      ? "a CR without LF"
      : `the character ${name}`;
    const why = `not TOML: ${what} in a place for spaces and tabs only`;
    return { line, message: why, clash: false };
  }
  const match = /^(?:Parse error on line (\d+), column \d+: )+([^]*)$/.exec(
    message,
  );
  const said = (match?.[2] ?? message).replace(/\s+/g, " ").trim();
  const line = Number(match?.[1] ?? 1);
  const text = source.split("\n")[line - 1] ?? "";
  // The parser puts tables together at the end, with messages that say little.
  const clash = /key length|Unexpected assign|undefined/.test(said);
  const why = clash
    ? "a table is defined twice"
    : LATER.test(said)
    ? `${said}${escapeHint(text) || LATER_HINT}`
    : said;
  return { line, message: `not TOML: ${why}${hintFor(text)}`, clash };
}

/** What to do about a line whose value is a text without quotes, or `yes`. */
function hintFor(line: string): string {
  if (line.length > LONG) return "";
  const [, key, value = ""] =
    /^\s*([\w-]+)\s*=\s*([^\s"'[{#=][^"'#=]*?)\s*(#.*)?$/.exec(line) ?? [];
  // The parser sees no other line: a header of it could name `__proto__`, by
  // which the parser writes into the prototype of all objects.
  if (key === undefined || isToml(line)) return "";
  return /^(yes|no|on|off|true|false)$/i.test(value)
    ? " (allowed: true or false)"
    : ` (a text must be in quotes: ${key} = ${JSON.stringify(value)})`;
}

function isToml(line: string): boolean {
  try {
    parse(line);
    return true;
  } catch {
    return false;
  }
}
