import { type Generated, ROFF_MARKERS, withParts } from "./files.ts";
import { wrapped } from "./input_types.ts";
import {
  COMMON_KEYS,
  defaultOf,
  FILE_KEYS,
  FORWARD_KEYS,
  FORWARD_SERVER_KEYS,
  type Key,
  keysWithin,
  KIND_KEYS,
  SERVER_KEYS,
} from "./keys.ts";

/** The lists of keys in services.toml(5). */
export function tableManual(): Generated[] {
  const parts = {
    "file keys": keyList(FILE_KEYS),
    "server keys": keyList(SERVER_KEYS),
    "tls keys": keyList(keysWithin(SERVER_KEYS, "tls")),
    "penalty keys": keyList(keysWithin(SERVER_KEYS, "penalties")),
    "log keys": keyList(keysWithin(SERVER_KEYS, "log")),
    "service keys": keyList(COMMON_KEYS),
    "builtin keys": keyList(KIND_KEYS.builtin),
    "exec keys": keyList(KIND_KEYS.exec),
    "rlimits keys": keyList(keysWithin(KIND_KEYS.exec, "rlimits")),
    "connect keys": keyList(KIND_KEYS.connect),
    "tcpmux keys": keyList(KIND_KEYS.tcpmux),
    "upstream tls keys": keyList(keysWithin(KIND_KEYS.connect, "tls")),
    "text keys": keyList(KIND_KEYS.text),
    "forward keys": keyList(FORWARD_KEYS),
    "forward server keys": keyList(FORWARD_SERVER_KEYS),
  };
  return [withParts("docs/services.toml.5", ROFF_MARKERS, parts)];
}

function keyList(keys: readonly Key[]): string {
  const items = keys.map((key) => {
    const standard = defaultOf(key);
    const value = `Value: ${key.node.value}` +
      (standard === "" ? "." : `; default: ${standard}.`);
    return `.It Ic ${key.name}\n${roff(key.node.description!)}${roff(value)}`;
  });
  return `.Bl -tag -width Ds\n${items.join("")}.El\n`;
}

/** Code in backticks or the name of a page, perhaps in brackets, and marks. */
const MARKED = /(?:\(`([^`]+)`\)|`([^`]+)`|\b(\w+)\((\d)\))([.,:;]*)/g;

/** A paragraph in roff, each sentence of it on lines of its own. */
function roff(text: string): string {
  const lines: string[] = [];
  for (const sentence of text.split(/(?<=[.)]) (?=[A-Z])/)) {
    let at = 0;
    for (const match of sentence.matchAll(MARKED)) {
      const [all, enclosed, code, page, section, marks = ""] = match;
      lines.push(...plain(sentence.slice(at, match.index)));
      const words = enclosed !== undefined
        ? `Pq ${macro(enclosed)}`
        : code !== undefined
        ? macro(code)
        : `Xr ${page} ${section}`;
      lines.push([`.${words}`, ...marks].join(" "));
      at = match.index + all.length;
    }
    lines.push(...plain(sentence.slice(at)));
  }
  return lines.map((line) => `${line}\n`).join("");
}

function plain(text: string): string[] {
  return text.trim() === "" ? [] : wrapped(escaped(text.trim()), 80);
}

/** The name of a key, or a value. */
function macro(code: string): string {
  const isKey = /^[a-z]+(_[a-z]+)+$|^hours$|^rate$|^deny$|^user$/.test(code);
  if (isKey) return `Ic ${code}`;
  const isMark = /^[.,:;?!()|]$/.test(code); // to roff
  const text = `${isMark ? "\\&" : ""}${escaped(code)}`;
  return `Li ${text.includes(" ") ? `"${text}"` : text}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll('"', "\\(dq");
}
