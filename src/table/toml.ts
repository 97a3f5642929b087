/** TOML files: their values, by @std/toml, and the lines of their keys. */
import { parse } from "@std/toml";
import { type Located, locateKeys } from "./locate.ts";
import { Problems, TableError } from "./problem.ts";

/** A TOML file that could be read, and where to put what is wrong with it. */
export interface Document {
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
  for (const { path, line, message } of located.faults) {
    problems.addAt(line, path, message);
  }
  if (!located.readable) problems.throwIfAny();
  const toml = readToml(text);
  if (!toml.ok) {
    const { line, message } = toml.error;
    // Our own message names the key and the line, the parser's does not.
    if (toml.error.clash) problems.throwIfAny();
    throw new TableError([{ file, line, key: "", message }]);
  }
  return { value: toml.value, problems, located };
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

/** Reads TOML; never throws. */
export function readToml(text: string): TomlResult {
  // A byte order mark may stand before TOML, but the parser rejects it.
  const source = text.replace(/^\uFEFF/, "");
  try {
    return { ok: true, value: parse(source) };
  } catch (error) {
    return { ok: false, error: located(error, source) };
  }
}

/** The parser's message about a blank character that is none in TOML. */
const BLANK = /invalid whitespace at position '(\d+)': `\\u([0-9a-f]+)`/;

function located(error: unknown, source: string): TomlError {
  const message = error instanceof Error ? error.message : String(error);
  const [, position, code] = BLANK.exec(message) ?? [];
  if (code !== undefined) {
    const line = source.slice(0, Number(position)).split("\n").length;
    const name = `U+${code.toUpperCase().padStart(4, "0")}`;
    const what = name === "U+000D"
      ? "a CR without LF"
      : `the character ${name}`;
    const why = `not TOML: ${what} stands where only blanks and tabs may`;
    return { line, message: why, clash: false };
  }
  const match = /^(?:Parse error on line (\d+), column \d+: )+([^]*)$/.exec(
    message,
  );
  const said = (match?.[2] ?? message).replace(/\s+/g, " ").trim();
  // The parser puts tables together at the end, with messages that say little.
  const clash = /key length|Unexpected assign|undefined/.test(said);
  const why = clash ? "a table is defined twice" : said;
  return {
    line: Number(match?.[1] ?? 1),
    message: `not TOML: ${why}`,
    clash,
  };
}
