/** What each command takes, for those who complete and document it. */
import { LOG_LEVELS } from "../log.ts";
import { type Command, FLAG_SPECS } from "./flag_specs.ts";
import { HELP_TEXT } from "./help.ts";

/** What stands in one place of a command line. */
export type Value =
  /** Something that only the user knows. */
  | { readonly kind: "free" }
  | { readonly kind: "file" }
  | { readonly kind: "host" }
  /** A name that the server can be asked for. */
  | { readonly kind: "service" }
  /** `LOCAL=SERVICE`, with the server's name in a word behind it. */
  | { readonly kind: "rule" }
  | { readonly kind: "choice"; readonly of: readonly string[] };

export interface FlagUse {
  /** Without dashes, and so is `short`. */
  readonly long: string;
  readonly short: string | undefined;
  /** Undefined for a switch. */
  readonly value: Value | undefined;
  /** May stand several times. */
  readonly many: boolean;
  /** The beginning of its help. */
  readonly about: string;
}

export interface Synopsis {
  readonly command: Command;
  /** What `tcpmux --help` says of it. */
  readonly about: string;
  readonly flags: readonly FlagUse[];
  /** The words beside the flags. */
  readonly words: readonly Value[];
  /** Whether the last word, or for rules the first, may be repeated. */
  readonly many: boolean;
}

export const SHELLS = ["bash", "zsh", "fish"] as const;

/** What the upper-case words of the usage stand for. */
const BY_NAME: Readonly<Record<string, Value>> = {
  FILE: { kind: "file" },
  HOST: { kind: "host" },
  SERVICE: { kind: "service" },
  "LOCAL=SERVICE": { kind: "rule" },
  SHELL: { kind: "choice", of: SHELLS },
};

const BY_FLAG: Readonly<Record<string, Value>> = {
  config: { kind: "file" },
  "log-format": { kind: "choice", of: ["text", "json"] },
  "log-level": { kind: "choice", of: LOG_LEVELS },
};

const FREE: Value = { kind: "free" };

/** All commands, from the flags that they read and the help that they give. */
export function synopses(): Synopsis[] {
  return (Object.keys(FLAG_SPECS) as Command[]).map((command) => ({
    command,
    about: aboutCommand(command),
    flags: flagsOf(command),
    ...wordsOf(command),
  }));
}

function flagsOf(command: Command): FlagUse[] {
  const { values, lists = [], switches = [], short = {} } = FLAG_SPECS[command];
  const shorts = new Map(
    Object.entries(short).map(([letter, long]) => [long, letter]),
  );
  const use = (long: string, value: Value | undefined) => ({
    long,
    short: shorts.get(long),
    value,
    many: lists.includes(long),
    about: aboutFlag(command, long),
  });
  return [
    ...[...values, ...lists].map((long) => use(long, BY_FLAG[long] ?? FREE)),
    ...switches.map((long) => use(long, undefined)),
    {
      ...use("help", undefined),
      short: "h",
      about: "what the command takes",
    },
  ];
}

/** A flag's help with the lines below it, to the end of what it is. */
function aboutFlag(command: Command, flag: string): string {
  return paragraph(HELP_TEXT[command], `^ +(?:-\\w, )?--${flag}\\b(?: \\S+)?`)
    .replace(/(;|\. ).*$/, "");
}

function aboutCommand(command: Command): string {
  return paragraph(HELP_TEXT.tcpmux, `tcpmux \\[?${command}\\b.*?`);
}

/** What stands to the right of this, or below it and well to the right. */
function paragraph(help: string, left: string): string {
  const text = new RegExp(
    `${left}(?: {2,}|\\n {20,})(\\S.*(?:\\n {20,}\\S.*)*)`,
    "m",
  ).exec(help)?.[1] ?? "";
  return text.replace(/\s+/g, " ");
}

/** Reads the usage, as `HOST[:PORT] [SERVICE…]`. */
function wordsOf(command: Command): { words: Value[]; many: boolean } {
  const usage = new RegExp(`^Usage: tcpmux \\[?${command}\\]? ?(.*)$`, "m")
    .exec(HELP_TEXT[command])?.[1] ?? "";
  const names = usage.replaceAll(/:PORT|[\[\]]/g, "").split(" ")
    .filter((word) => /^[A-Z]/.test(word));
  return {
    words: names.map((name) => BY_NAME[name.replace("…", "")] ?? FREE),
    many: usage.includes("…"),
  };
}
