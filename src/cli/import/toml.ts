/** Writes a table as TOML, with comments. */
import { escaped } from "../../log.ts";
import { formatPath } from "../../table/problem.ts";
import type { Draft, ServerDraft } from "./draft.ts";

const WIDTH = 78;

/** A whole table. The first of `about` says what it was made from. */
export function tableText(
  about: readonly string[],
  { keys, comments }: ServerDraft,
  drafts: readonly Draft[],
): string {
  const server = Object.keys(keys).length === 0
    ? []
    : [[...comments.flatMap(comment), "[server]", ...pairs(keys)]];
  const parts = [
    about.flatMap(comment),
    ...server,
    ...drafts.map(serviceLines),
  ];
  return parts.map((lines) => `${lines.join("\n")}\n`).join("\n");
}

function serviceLines(draft: Draft): string[] {
  const { name, place, reached, closed, comments, keys } = draft;
  const isOpen = reached === "by name" && closed.length === 0;
  return [
    ...comment(`${place.file}:${place.line}`),
    ...reached === "by port"
      ? comment("It was no service of TCPMUX; enabled = true makes it one.")
      : [],
    ...closed.flatMap((why) => comment(`Closed: ${why}`)),
    ...comments.flatMap(comment),
    `[${formatPath(["services", name])}]`,
    ...isOpen ? [] : ["enabled = false"],
    ...pairs(keys),
  ];
}

/** Undefined values are left out, and so are empty lists and tables. */
function pairs(keys: object): string[] {
  return Object.entries(keys).filter(([, value]) => !isNothing(value))
    .map(([key, value]) => `${key} = ${valueText(value)}`);
}

function isNothing(value: unknown): boolean {
  return value === undefined ||
    typeof value === "object" && Object.keys(value as object).length === 0;
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{ ${
      Object.entries(value)
        .map(([key, one]) => `${formatPath([key])} = ${valueText(one)}`)
        .join(", ")
    } }`;
  }
  return typeof value === "string" ? stringText(value) : String(value);
}

/** TOML has JSON's strings, but no halves of characters, and escapes DEL. */
function stringText(text: string): string {
  const whole = text.replaceAll(/\p{Surrogate}/gu, "\ufffd");
  return JSON.stringify(whole).replaceAll("\x7f", "\\u007f");
}

/** Lines of a comment, with nothing in them that could end it. */
function comment(text: string): string[] {
  const lines: string[] = [];
  for (const word of escaped(text).split(" ")) {
    const longer = `${lines.at(-1) ?? "#"} ${word}`;
    if (lines.length > 0 && longer.length <= WIDTH) lines.splice(-1, 1, longer);
    else lines.push(`# ${word}`);
  }
  return lines.map((line) => line.replaceAll(/\p{Surrogate}/gu, "\ufffd"));
}
