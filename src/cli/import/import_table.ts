/**
 * A table of an old configuration: which dialect it is in, and then text in, text
 * and report out.
 */
import { escaped } from "../../log.ts";
import { formatPath } from "../../table/problem.ts";
import type { DialectName } from "../spec/makers.ts";
import type { Context, ReadDialect } from "./dialect.ts";
import { importHaproxy } from "./dialects/haproxy.ts";
import { importInetd } from "./dialects/inetd.ts";
import { importSslh } from "./dialects/sslh.ts";
import { importTcpmuxCf } from "./dialects/tcpmux_cf.ts";
import { importTcpmuxa } from "./dialects/tcpmuxa.ts";
import { importXinetd } from "./dialects/xinetd.ts";
import {
  type Draft,
  type Imported,
  reportOn,
  type ServerDraft,
  settled,
} from "./draft.ts";
import { type Source, wordsIn } from "./sources.ts";

/** The dialects that can be read. */
const READERS: Readonly<Record<DialectName, ReadDialect>> = {
  "xinetd": importXinetd,
  "inetd-freebsd": (...args) => importInetd("freebsd", ...args),
  "inetd-netbsd": (...args) => importInetd("netbsd", ...args),
  "inetd-gnu": (...args) => importInetd("gnu", ...args),
  "tcpmux.cf": importTcpmuxCf,
  "tcpmuxa": importTcpmuxa,
  "sslh": importSslh,
  "haproxy": importHaproxy,
};

type Sign = readonly [DialectName, RegExp];

/** Lines that only files of that dialect have; the first that fits is meant. */
const SIGNS: readonly Sign[] = [
  ["haproxy", /^(frontend|backend|listen) [^ ={:]+( #|$)/],
  ["sslh", /^protocols ?[:=]/],
  ["xinetd", /^(service [^ ]+|defaults)( \{)?$|^include(dir)? [^ ]/],
  ["inetd-netbsd", /^\.include |^[^# ]+ (on|off)( [a-z_]+ ?=| ?;|$)/],
];

/** What an entry of any inetd.conf has: a kind of socket, and whether it waits. */
const INETD =
  /^[^# ]+ (stream|dgram|raw|rdm|seqpacket)[^ ]* [^ ]+ (no)?wait[^ ]* /;

/** Those that are not FreeBSD's, as which all others are read. */
const INETD_SIGNS: readonly Sign[] = [
  ["inetd-netbsd", /^[^ ]+ stream([,:]| tcp[46]?,)/],
  [
    "inetd-gnu",
    /^[^ :]+:[^ ]+ stream |^[^ ]+ stream [^ ]+ (nowait[.:]\d|nowait [^ :/]+\.[^ ])/,
  ],
];

/** Lines of words, as those of others are too. */
const LATER_SIGNS: readonly Sign[] = [
  ["tcpmuxa", /^\$ ?\w+ ?=|^[^# ]+ (net [^ ]+ [^ ]+|local [^ ].*)$/i],
  ["tcpmux.cf", /^[^# ]+ \//],
];

/** As much of a line as tells what it is. */
const LINE_START = 500;

/** The dialect of a file, by what stands in it; undefined where nothing tells. */
export function dialectOf({ text }: Source): DialectName | undefined {
  const lines = text.split("\n").map((line) =>
    wordsIn(line.slice(0, LINE_START)).join(" ")
  );
  const bySigns = (signs: readonly Sign[]) =>
    signs.find(([, sign]) => lines.some((line) => sign.test(line)))?.[0];
  const isInetd = lines.some((line) => INETD.test(line));
  return bySigns(SIGNS) ??
    (isInetd ? bySigns(INETD_SIGNS) ?? "inetd-freebsd" : undefined) ??
    bySigns(LATER_SIGNS);
}

/** A table that is not written yet: services may still be closed. */
export interface ImportedTable {
  readonly drafts: readonly Draft[];
  /** As TOML. */
  text(): string;
  /** Has the report tell of each service whether it is kept. */
  report(): void;
}

/**
 * Reads the files of one configuration, in their order. It never throws, and
 * its table can always be read.
 *
 * @param handsOver whether the runtime can hand a socket to a program
 */
export function importTable(
  sources: readonly Source[],
  dialect: DialectName,
  handsOver: boolean,
  context: Context,
): ImportedTable {
  const imported = READERS[dialect](
    sources.filter((source) => isText(source, context)),
    context,
  );
  const drafts = settled(imported, context.report);
  if (!handsOver) { for (const { keys } of drafts) delete keys.stdio; }
  const about = [
    `Made by tcpmux import of ${
      sources.map(({ file }) => file).join(", ")
    } (${dialect}). What it does differently:`,
    ...differences(imported, drafts, handsOver).map((one) => `- ${one}`),
  ];
  return {
    drafts,
    text: () => tableText(about, imported.server, drafts),
    report: () => drafts.forEach((draft) => reportOn(draft, context.report)),
  };
}

function isText({ file, text }: Source, { report }: Context): boolean {
  const before = text.split("\0", 1)[0]!;
  if (before.length === text.length) return true;
  const line = before.split("\n").length;
  report.add("dropped", { file, line }, "it is no text: there is a NUL byte");
  return false;
}

function differences(
  { differences }: Imported,
  drafts: readonly Draft[],
  handsOver: boolean,
): readonly string[] {
  const hasSocket = drafts.some(({ keys }) => keys.exec !== undefined);
  return [
    "What could be asked for by name stays open to those who could ask; all " +
    "else says enabled = false, and why.",
    ...differences,
    ...handsOver || !hasSocket ? [] : [
      "Deno cannot give programs the client's socket: those that ask it for an " +
      'address need Bun or Node, and stdio = "socket".',
    ],
  ];
}

/** Columns of a comment. */
const WIDTH = 78;

/** A whole table. The first of `about` says what it was made from. */
function tableText(
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
