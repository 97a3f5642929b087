/** The only file that knows the TOML parser. */
import { parse } from "@std/toml";

/** What is wrong with the text as TOML, and on which line. */
export interface TomlError {
  readonly line: number;
  readonly message: string;
}

export type TomlResult =
  | { readonly ok: true; readonly value: Record<string, unknown> }
  | { readonly ok: false; readonly error: TomlError };

/** Reads TOML; never throws. */
export function readToml(text: string): TomlResult {
  try {
    // A byte order mark is legal before TOML, but the parser takes none.
    return { ok: true, value: parse(text.replace(/^\uFEFF/, "")) };
  } catch (error) {
    return { ok: false, error: located(error) };
  }
}

function located(error: unknown): TomlError {
  const message = error instanceof Error ? error.message : String(error);
  const match = /^(?:Parse error on line (\d+), column \d+: )+([^]*)$/.exec(
    message,
  );
  const said = (match?.[2] ?? message).replace(/\s+/g, " ").trim();
  // The parser's words for a table that comes after one of its own subtables.
  const why = said.includes("key length is not a positive number")
    ? "a table is defined twice, or after one of its subtables"
    : said;
  return { line: Number(match?.[1] ?? 1), message: `not TOML: ${why}` };
}
