/** The only file that knows the TOML parser. */
import { parse } from "@std/toml";

/** What is wrong with the text as TOML, and on which line. */
export interface TomlError {
  readonly line: number;
  readonly message: string;
  /** Two definitions do not go together; the line is not known. */
  readonly clash: boolean;
}

export type TomlResult =
  | { readonly ok: true; readonly value: Record<string, unknown> }
  | { readonly ok: false; readonly error: TomlError };

/** Reads TOML; never throws. */
export function readToml(text: string): TomlResult {
  // A byte order mark is legal before TOML, but the parser takes none.
  const source = text.replace(/^\uFEFF/, "");
  try {
    return { ok: true, value: parse(source) };
  } catch (error) {
    return { ok: false, error: located(error, source) };
  }
}

/** The parser's word for what is a blank elsewhere, but not in TOML. */
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
  // Tables are put together at the end, where the parser checks nothing.
  const clash = /key length|Unexpected assign|undefined/.test(said);
  const why = clash ? "a table is defined twice" : said;
  return {
    line: Number(match?.[1] ?? 1),
    message: `not TOML: ${why}`,
    clash,
  };
}
