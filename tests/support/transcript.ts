/**
 * Reads a transcript: one conversation of a client (`>`) with a server (`<`).
 *
 *     # what it shows
 *     | [services.a]                TOML of its own, or none for the tests' table
 *     > echo\r\n                   one write, with escapes as in JSON and \xHH
 *     close>                       the client ends its side
 *     < +Go\r\n                    what the server sends next
 *     ~ \d+\r\n                  all that it sends, as a regular expression
 *     <close                       and then it ends its side
 *     = served echo                the record: outcome and service
 */
export interface Transcript {
  readonly about: string;
  /** TOML; empty for the tests' own table. */
  readonly table: string;
  readonly steps: readonly Step[];
}

export type Step =
  | { readonly kind: "send" | "expect"; readonly text: string }
  | { readonly kind: "match"; readonly pattern: RegExp }
  | { readonly kind: "client ends" | "server ends" }
  | { readonly kind: "record"; readonly text: string };

export function parseTranscript(text: string): Transcript {
  const about: string[] = [];
  const table: string[] = [];
  const steps: Step[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    else if (line.startsWith("# ")) about.push(line.slice(2));
    else if (line.startsWith("| ")) table.push(line.slice(2));
    else steps.push(stepOf(line, index + 1));
  }
  return { about: about.join(" "), table: table.join("\n"), steps };
}

function stepOf(line: string, number: number): Step {
  const rest = line.slice(2);
  if (line === "close>") return { kind: "client ends" };
  if (line === "<close") return { kind: "server ends" };
  if (line.startsWith("> ")) return { kind: "send", text: unescape(rest) };
  if (line.startsWith("< ")) return { kind: "expect", text: unescape(rest) };
  if (line.startsWith("~ ")) return { kind: "match", pattern: whole(rest) };
  if (line.startsWith("= ")) {
    const [outcome = "", service = ""] = rest.split(" ");
    return { kind: "record", text: `${outcome} ${service}` };
  }
  throw new SyntaxError(`line ${number} is no step: ${line}`);
}

function unescape(text: string): string {
  return JSON.parse(
    `"${text.replaceAll('"', '\\"').replaceAll("\\x", "\\u00")}"`,
  );
}

function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`, "s");
}
