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
  // Tables are put together at the end, where the parser checks nothing.
  const clash = /key length|Unexpected assign|undefined/.test(said);
  const why = clash ? "a table is defined twice" : said;
  return {
    line: Number(match?.[1] ?? 1),
    message: `not TOML: ${why}`,
    clash,
  };
}
