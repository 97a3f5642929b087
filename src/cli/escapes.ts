/** Bytes on the command line, and bytes of others on one printed line. */
import { TcpmuxError } from "../errors.ts";
import { ESCAPE_FORMS } from "./spec/parts.ts";

const encoder = new TextEncoder();

const CONTROLS: Readonly<Record<string, string>> = {
  r: "\r",
  n: "\n",
  t: "\t",
  "\\": "\\",
};

/**
 * The bytes that a text means in which `\r \n \t \\` and `\xHH` stand for one
 * byte each.
 *
 * @throws {TcpmuxError} code `usage`, for any other backslash
 */
export function readEscapes(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const [part] of text.matchAll(/\\x[0-9a-fA-F]{2}|\\[^]?|[^\\]+/g)) {
    if (!part.startsWith("\\")) bytes.push(...encoder.encode(part));
    else if (part.length === 4) bytes.push(parseInt(part.slice(2), 16));
    else {
      const control = CONTROLS[part.slice(1)];
      if (control === undefined) {
        throw new TcpmuxError(
          "usage",
          `${JSON.stringify(text)} holds ${part}, but escapes are ` +
            ESCAPE_FORMS,
        );
      }
      bytes.push(control.charCodeAt(0));
    }
  }
  return Uint8Array.from(bytes);
}

/** The text with all that is not printable ASCII as escapes. */
export function visible(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, escaped);
}

/** As {@linkcode visible}, for a line in which `|` has a meaning too. */
export function visibleBesideBars(text: string): string {
  return text.replace(/[^\x20-\x7e]|\|/gu, escaped);
}

function escaped(character: string): string {
  const hex = character.codePointAt(0)!.toString(16).padStart(2, "0");
  return hex.length === 2 ? `\\x${hex}` : `\\u{${hex}}`;
}
