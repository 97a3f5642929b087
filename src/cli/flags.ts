/** The specification of a command line, and how one is read. */
import { parseArgs } from "@std/cli";
import { formatEndpoint } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { readServer } from "../parse_endpoint.ts";
import type { GetEnv } from "../transport/permission.ts";
import { DURATION_FORM, nearest, readDuration } from "../units.ts";

/** The kind of a value decides how it is read and how shells complete it. */
export type ValueKind =
  | "choice"
  | "count"
  | "duration"
  | "file"
  | "forward"
  | "host"
  | "seconds"
  | "served"
  | "service"
  | "session"
  | "text";

export interface ValueSpec {
  /** What help calls it, in upper case. */
  readonly name: string;
  readonly kind: ValueKind;
  /** The words that it may be, where it is one of a few. */
  readonly choices?: readonly string[];
  /** How it is written, as the end of "TIME is …". */
  readonly forms?: string;
}

/** An argument that is no flag. */
export interface PositionalSpec extends ValueSpec {
  /** What it stands for, as the end of "connect needs …". */
  readonly about: string;
  readonly optional?: boolean;
  /** May be given several times. */
  readonly repeated?: boolean;
}

export interface FlagSpec {
  readonly short?: string;
  /** Absent for a switch, which is on or off. */
  readonly value?: ValueSpec;
  /** May be given several times. */
  readonly repeated?: boolean;
  readonly default?: string;
  /** A phrase, without a capital letter or a full stop. */
  readonly about: string;
  /** The rest, which may hold whole sentences; it begins as `about` does. */
  readonly details?: string;
  /** False where no variable of the environment sets it. */
  readonly environment?: boolean;
  /** The words, as the first argument, with which alone it may be given. */
  readonly actions?: readonly string[];
}

/** What the reader has to know of a command. */
export interface ReadableCommand {
  readonly name: string;
  readonly positionals: readonly PositionalSpec[];
  /** By their long names, without dashes. */
  readonly flags: Readonly<Record<string, FlagSpec>>;
}

type ReadValue<V> = V extends { choices: readonly (infer Choice)[] } ? Choice
  : V extends { kind: "count" | "duration" | "seconds" } ? number
  : string;

type ReadFlag<F> = F extends { value: infer V }
  ? F extends { repeated: true } ? readonly ReadValue<V>[]
  : ReadValue<V> | undefined
  : boolean;

/** A command's flags: milliseconds for durations, and lists for repeated. */
export type FlagsOf<C extends ReadableCommand> = {
  readonly [F in keyof C["flags"]]: ReadFlag<C["flags"][F]>;
};

type ReadPositionals<P> = P extends readonly [infer First, ...infer Rest]
  ? First extends { repeated: true } ? readonly ReadValue<First>[]
  : First extends { optional: true }
    ? readonly [ReadValue<First>?, ...ReadPositionals<Rest>]
  : readonly [ReadValue<First>, ...ReadPositionals<Rest>]
  : readonly [];

export interface CommandLine<C extends ReadableCommand> {
  readonly flags: FlagsOf<C>;
  /** How each flag was given, for messages: `--listen`, or `TCPMUX_LISTEN`. */
  readonly origins: { readonly [F in keyof C["flags"]]: string };
  readonly positionals: ReadPositionals<C["positionals"]>;
}

/** The variable of the environment that stands for a flag. */
export function variableOf(flag: string): string {
  return `TCPMUX_${flag.toUpperCase().replaceAll("-", "_")}`;
}

/**
 * Reads the arguments behind a command's name. A flag with a value that is not
 * given may come from the environment.
 *
 * @throws {TcpmuxError} code `usage`
 */
export function readCommandLine<const C extends ReadableCommand>(
  args: readonly string[],
  command: C,
  getEnv: GetEnv,
): CommandLine<C> {
  const specs = Object.entries(command.flags);
  const named = (which: (spec: FlagSpec) => boolean) =>
    specs.filter(([, spec]) => which(spec)).map(([name]) => name);
  const withValue = named(({ value }) => value !== undefined);
  const parsed = parseArgs(dashesJoined(args, command), {
    string: [...withValue, "_"],
    collect: named(({ repeated }) => repeated === true),
    boolean: named(({ value }) => value === undefined),
    alias: Object.fromEntries(
      specs.flatMap(([name, { short }]) =>
        short === undefined ? [] : [[short, name]]
      ),
    ),
    unknown: (arg, key) => {
      if (key !== undefined) throw unknownFlag(arg, command);
    },
  });
  const positionals = readPositionals(parsed._.map(String), command);
  for (const [name, { value, actions }] of specs) {
    const given = [parsed[name] ?? []].flat().filter((one) => one !== false);
    if (value !== undefined && given.includes("")) {
      throw usage(`--${name} needs a value`);
    }
    if (given.length > 0 && actions?.includes(positionals[0]!) === false) {
      const words = `${command.name} ${actions.join(` or ${command.name} `)}`;
      throw usage(`--${name} goes with ${words} alone`);
    }
  }
  const origins: Record<string, string> = {};
  const flags = Object.fromEntries(specs.map(([name, spec]) => {
    const { value, repeated, environment = true } = spec;
    if (value === undefined) return [name, parsed[name] === true];
    const given = [parsed[name] as string | string[] | undefined ?? []].flat();
    const variable = environment && given.length === 0
      ? getEnv(variableOf(name)) || undefined
      : undefined;
    const origin = variable === undefined ? `--${name}` : variableOf(name);
    origins[name] = origin;
    if (repeated) {
      const listed = variable?.split(/[\s,]+/).filter((item) => item !== "");
      return [name, (listed ?? given).map((text) => read(origin, value, text))];
    }
    const text = given[0] ?? variable;
    return [name, text === undefined ? text : read(origin, value, text)];
  }));
  // What the loops above have made has the type that the specification gives.
  return { flags, origins, positionals } as unknown as CommandLine<C>;
}

/** `--config=-` for `--config -` and `-c -`, which the parser does not take. */
function dashesJoined(
  args: readonly string[],
  { flags }: ReadableCommand,
): string[] {
  const joined: string[] = [];
  for (const arg of args) {
    const before = joined.at(-1);
    const flag = arg !== "-" || joined.includes("--") ? undefined : Object
      .entries(flags).find(([name, { short, value }]) =>
        value !== undefined &&
        (before === `--${name}` || before === `-${short}`)
      );
    if (flag === undefined) joined.push(arg);
    else joined[joined.length - 1] = `--${flag[0]}=-`;
  }
  return joined;
}

/** @throws {TcpmuxError} code `usage`, where one is missing or too many */
function readPositionals(
  words: readonly string[],
  { name, positionals, flags }: ReadableCommand,
): readonly string[] {
  const most = positionals.some(({ repeated }) => repeated)
    ? Infinity
    : positionals.length;
  if (words.length > most) {
    const isTable = most === 0 && "config" in flags;
    const meant = isTable && isLikeFile(words[most]!)
      ? `--config ${words[most]!}`
      : portApart(words, positionals);
    const hint = meant === undefined ? "" : `: did you mean ${meant}?`;
    throw usage(`unexpected argument ${JSON.stringify(words[most])}${hint}`);
  }
  const needed = positionals.filter(({ optional }) => !optional);
  const what = needed.map(({ about }) => about).join(" and ");
  const how = needed.map(({ name, choices }) => choices?.join("|") ?? name)
    .join(" ");
  if (words.length < needed.length) {
    throw usage(`${name} needs ${what}: tcpmux ${name} ${how}`);
  }
  for (const [index, word] of words.entries()) {
    const { name, choices } = positionals[index] ?? {};
    if (choices?.includes(word) === false) {
      throw wrongValue(name!, word, `one of ${choices.join(", ")}`);
    }
  }
  return words;
}

/** The address of a host behind which its port stands as a word of its own. */
function portApart(
  words: readonly string[],
  positionals: readonly PositionalSpec[],
): string | undefined {
  const index = positionals.findIndex(({ kind }) => kind === "host");
  const [host = "", port = ""] = index < 0 ? [] : words.slice(index);
  const endpoint = readServer(host);
  return /^\d{1,5}$/.test(port) && typeof endpoint !== "string" &&
      endpoint.transport === "tcp"
    ? formatEndpoint({ ...endpoint, port: Number(port) })
    : undefined;
}

/** Whether a word looks like the path of a file. */
export function isLikeFile(word: string): boolean {
  return /[./]/.test(word);
}

/** @throws {TcpmuxError} code `usage` */
function read(
  origin: string,
  { kind, choices }: ValueSpec,
  text: string,
): string | number {
  const wrong = (allowed: string) => wrongValue(origin, text, allowed);
  switch (kind) {
    case "choice":
      if (choices!.includes(text)) return text;
      throw wrong(`one of ${choices!.join(", ")}`);
    case "count":
      if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
      throw wrong("a whole number from 1 to 999999");
    case "duration": {
      const duration = readDuration(text);
      if (duration !== undefined) return duration;
      throw wrong(DURATION_FORM);
    }
    case "seconds": {
      const bare = /^\d{1,6}(\.\d{1,6})?$/.test(text);
      const time = bare ? Number(text) * 1000 : readDuration(text);
      if (time !== undefined) return time;
      throw wrong('a time such as 0.5 (seconds), "500ms", "10s" or "1m"');
    }
    default:
      return text;
  }
}

function wrongValue(what: string, text: string, allowed: string): TcpmuxError {
  return usage(`${what} is ${JSON.stringify(text)}; allowed: ${allowed}`);
}

/** What flags of ours are called by curl and openssl. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  cacert: "ca",
  cafile: "ca",
  pinnedpubkey: "pin",
  servername: "server-name",
};

function unknownFlag(arg: string, command: ReadableCommand): TcpmuxError {
  const name = arg.replace(/=.*$/, "");
  if (name === "--port" || /^-p\d*$/.test(name)) {
    if ("listen" in command.flags) {
      throw usage(`unknown flag ${name}: did you mean --listen HOST:PORT?`);
    }
    if (command.positionals.some(({ kind }) => kind === "host")) {
      throw usage(`unknown flag ${name}: the port follows the host: HOST:PORT`);
    }
  }
  const known = [...Object.keys(command.flags), "help"];
  // Without a command, which means serve, the program has flags of its own.
  if (command.name === "serve") known.push("version", "licenses");
  const word = name.replace(/^-+/, "");
  const meant = known.find((flag) => flag === ELSEWHERE[word.toLowerCase()]) ??
    nearest(word, known);
  const hint = meant === undefined ? "" : `: did you mean --${meant}?`;
  return usage(`unknown flag ${name}${hint}`);
}

/** A mistake on the command line. */
export function usage(message: string): TcpmuxError {
  return new TcpmuxError("usage", `${message} (see --help)`);
}
