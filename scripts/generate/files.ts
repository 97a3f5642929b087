import { readFileSync } from "node:fs";

/** The name of a file, from the project's folder on, and its new text. */
export type Generated = readonly [file: string, text: string];

export function fileUrl(file: string): URL {
  return new URL(`../../${file}`, import.meta.url);
}

/** Comments that stand before and behind a generated part of a file. */
export interface Markers {
  begin(part: string): string;
  end: string;
}

export const MARKDOWN_MARKERS: Markers = {
  begin: (part) => `<!-- generated: ${part} -->\n`,
  end: "<!-- end -->\n",
};

export const ROFF_MARKERS: Markers = {
  begin: (part) => `.\\" generated: ${part}\n`,
  end: '.\\" end\n',
};

/** The file with new text in each of these parts, the rest of it as it is. */
export function withParts(
  file: string,
  markers: Markers,
  parts: Readonly<Record<string, string>>,
): Generated {
  let text = readFileSync(fileUrl(file), "utf8");
  for (const [part, content] of Object.entries(parts)) {
    const begin = markers.begin(part);
    const start = text.indexOf(begin);
    const end = text.indexOf(markers.end, start);
    if (start < 0 || end < 0) throw new Error(`${file} has no part "${part}"`);
    text = text.slice(0, start) + begin + content + text.slice(end);
  }
  return [file, text];
}

/** A table as the formatter has it: as wide as its widest cells. */
export function markdownTable(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |\n`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return `\n${line(heading)}${rule}${rows.map(line).join("")}\n`;
}
