import { parseArgs } from "@std/cli";
import { TcpmuxError } from "../errors.ts";
import { nearest } from "../nearest.ts";

/** The flags of one command. All names are long ones, without dashes. */
export interface FlagSpec {
  /** Flags with a value. */
  readonly values: readonly string[];
  /** Flags with a value that may be given several times. */
  readonly lists?: readonly string[];
  /** Flags without a value. */
  readonly switches?: readonly string[];
  /** Short names, such as `{ c: "config" }`. */
  readonly short?: Readonly<Record<string, string>>;
  /** The most words that may stand beside the flags. */
  readonly words: number;
}

export interface Flags {
  readonly words: readonly string[];
  value(name: string): string | undefined;
  list(name: string): readonly string[];
  on(name: string): boolean;
}

/**
 * Reads a command's flags. One that is not given may come from the
 * environment, as `TCPMUX_LOG_LEVEL` for `--log-level`.
 *
 * @throws {TcpmuxError} code `usage`
 */
export function readFlags(
  args: readonly string[],
  spec: FlagSpec,
  getEnv: (name: string) => string | undefined,
): Flags {
  const { values, lists = [], switches = [], short = {}, words } = spec;
  const all = [...values, ...lists, ...switches];
  const parsed = parseArgs(args, {
    string: [...values, ...lists, "_"],
    collect: lists,
    boolean: switches,
    alias: short,
    unknown: (arg, key) => {
      if (key !== undefined) throw unknownFlag(arg, all);
    },
  });
  const rest = parsed._.map(String);
  if (rest.length > words) {
    throw usage(`${JSON.stringify(rest[words])} is one word too many`);
  }
  for (const name of [...values, ...lists]) {
    if ([parsed[name]].flat().includes("")) {
      throw usage(`--${name} needs a value`);
    }
  }
  const fromEnv = (name: string) =>
    getEnv(`TCPMUX_${name.toUpperCase().replaceAll("-", "_")}`) || undefined;
  return {
    words: rest,
    value: (name) => (parsed[name] as string | undefined) ?? fromEnv(name),
    list: (name) => {
      const given = parsed[name] as string[] | undefined;
      if (given !== undefined && given.length > 0) return given;
      return fromEnv(name)?.split(/[\s,]+/).filter((item) => item !== "") ?? [];
    },
    on: (name) => parsed[name] === true,
  };
}

function unknownFlag(arg: string, all: readonly string[]): TcpmuxError {
  const name = arg.replace(/^-+/, "").replace(/=.*$/, "");
  const meant = nearest(name, all);
  const hint = meant === undefined ? "" : `; the nearest is --${meant}`;
  return usage(`there is no flag ${arg}${hint}`);
}

/** A mistake on the command line. */
export function usage(message: string): TcpmuxError {
  return new TcpmuxError("usage", `${message} (--help shows all)`);
}

/** One of a few words. @throws {TcpmuxError} code `usage` */
export function oneOf<const T extends readonly string[]>(
  flag: string,
  value: string | undefined,
  allowed: T,
): T[number] | undefined {
  if (value === undefined || allowed.includes(value)) return value;
  throw usage(
    `--${flag} is ${JSON.stringify(value)}, but may be ${allowed.join(", ")}`,
  );
}
