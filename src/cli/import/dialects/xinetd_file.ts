/** Reads the files of xinetd (xinetd.conf(5)) into their blocks. */
import type { Place, Report } from "../report.ts";
import {
  type Files,
  Includes,
  linesOf,
  type Source,
  wordsIn,
} from "../sources.ts";

export interface Attribute {
  readonly name: string;
  readonly op: "=" | "+=" | "-=";
  readonly values: readonly string[];
  readonly place: Place;
}

/** `service NAME { … }`, or `defaults { … }`. */
export interface Block {
  readonly kind: "service" | "defaults";
  readonly name: string;
  readonly place: Place;
  readonly attributes: readonly Attribute[];
  /** What xinetd does not take. */
  readonly faults: readonly string[];
}

export interface XinetdFile {
  readonly services: readonly Block[];
  readonly defaults: Block | undefined;
  /** Whether a file is missing that may have held the defaults. */
  readonly isPartial: boolean;
}

/** Why a service is off; undefined for one that is on. */
export function whyOff(
  { name, attributes }: Block,
  { defaults }: XinetdFile,
): string | undefined {
  const own = (which: string) =>
    attributes.filter((one) => one.name === which)
      .flatMap(({ values }) => values);
  const ofDefaults = (which: string) =>
    defaults?.attributes.filter((one) => one.name === which) ?? [];
  const [id = name] = own("id");
  if (own("disable").some((word) => word !== "no")) return "disable = yes";
  if (own("flags").includes("DISABLE")) return "it has the flag DISABLE";
  if (ofDefaults("disabled").some(({ values }) => values.includes(id))) {
    return "defaults have it in disabled";
  }
  const enabled = ofDefaults("enabled");
  const isOn = enabled.length === 0 ||
    enabled.some(({ op, values }) => op !== "-=" && values.includes(id)) &&
      !enabled.some(({ op, values }) => op === "-=" && values.includes(id));
  return isOn ? undefined : "defaults do not have it in enabled";
}

/** Files that name each other deeper than that are not read. */
const MOST_DEPTH = 20;

export function readXinetdFiles(
  sources: readonly Source[],
  files: Files,
  report: Report,
): XinetdFile {
  const includes = new Includes(files, report);
  const blocks = sources.flatMap((source) =>
    blocksOf(source, includes, report, 0)
  );
  const [defaults, ...more] = blocks.filter(({ kind }) => kind === "defaults");
  for (const { place } of more) {
    report.add("dropped", place, "there is one defaults only");
  }
  return {
    services: blocks.filter(({ kind }) => kind === "service"),
    defaults,
    isPartial: includes.areMissing && defaults === undefined,
  };
}

function blocksOf(
  source: Source,
  includes: Includes,
  report: Report,
  depth: number,
): Block[] {
  const blocks: Block[] = [];
  const lines = linesOf(source).filter(({ text }) =>
    wordsIn(text)[0]?.startsWith("#") === false
  );
  while (lines.length > 0) {
    const { place, text } = lines.shift()!;
    const [word = "", name = "", ...more] = wordsIn(text);
    if (word === "service" || word === "defaults") {
      const faults = word === "service" && name === "" ? ["no name"] : [];
      const isOpen = lines[0]?.text.trim() === "{";
      if (isOpen) lines.shift();
      else faults.push("no line with { alone follows");
      if (more.length > 0) faults.push(`there is more behind ${name}`);
      const attributes: Attribute[] = [];
      for (;;) {
        const line = lines.shift();
        if (line === undefined) {
          faults.push("no line with } alone ends it");
          break;
        }
        if (line.text.trim() === "}") break;
        const read = attributeOf(line.text, line.place);
        if (typeof read !== "string") attributes.push(read);
        else {
          report.add("dropped", line.place, read);
          faults.push(`line ${line.place.line}: ${read}`);
        }
      }
      blocks.push({ kind: word, name, place, attributes, faults });
    } else if (word === "include" || word === "includedir") {
      const found = depth >= MOST_DEPTH
        ? []
        : word === "include"
        ? [includes.file(name, place) ?? []].flat()
        : includes.folder(name, place, isIncluded);
      blocks.push(
        ...found.flatMap((file) => blocksOf(file, includes, report, depth + 1)),
      );
    } else {
      report.add("dropped", place, `${JSON.stringify(word)} begins no entry`);
    }
  }
  return blocks;
}

/** As xinetd chooses in a folder. */
export function isIncluded(name: string): boolean {
  return !name.includes(".") && !name.endsWith("~");
}

/** One line of a block, or what is wrong with it. */
function attributeOf(text: string, place: Place): Attribute | string {
  const [name = "", op = "", ...values] = wordsIn(text);
  if (op !== "=" && op !== "+=" && op !== "-=") {
    return `${JSON.stringify(name)} is not followed by a blank and =, += or -=`;
  }
  return { name, op, values, place };
}

/** The attributes that one block gets from `defaults`. */
const INHERITED = [
  "log_type",
  "bind",
  "interface",
  "per_source",
  "instances",
  "umask",
  "groups",
  "cps",
  "max_load",
  "v6only",
  "deny_time",
  "banner",
  "banner_success",
  "banner_fail",
];

/** The attributes of a service, with what `defaults` gives it. */
export class Attributes {
  readonly #own: readonly Attribute[];
  readonly #defaults: readonly Attribute[];

  constructor(block: Block, defaults: Block | undefined) {
    this.#own = block.attributes;
    this.#defaults = defaults?.attributes ?? [];
  }

  get own(): readonly Attribute[] {
    return this.#own;
  }

  /** The first that the service has, as xinetd takes it, or a default. */
  one(name: string): Attribute | undefined {
    const of = (list: readonly Attribute[]) =>
      list.find((attribute) => attribute.name === name);
    return of(this.#own) ??
      (INHERITED.includes(name) ? of(this.#defaults) : undefined);
  }

  word(name: string): string | undefined {
    return this.one(name)?.values[0];
  }

  /** The one to listen on, which has two names; the service's own comes first. */
  get address(): Attribute | undefined {
    const isIt = ({ name }: Attribute) =>
      name === "bind" || name === "interface";
    return this.#own.find(isIt) ?? this.#defaults.find(isIt);
  }

  /**
   * A set of values: the service's own `=` takes the place of the default, its
   * next one adds to it.
   *
   * @returns undefined where nobody sets it; `missing` are what `-=` takes out
   * that is not in
   */
  set(name: string): { values: string[]; missing: string[] } | undefined {
    const defaults = this.#defaults.filter((one) => one.name === name);
    const own = this.#own.filter((one) => one.name === name);
    if (defaults.length + own.length === 0) return undefined;
    let values = defaults.flatMap((one) => one.values);
    const missing: string[] = [];
    let isOwn = false;
    for (const { op, values: more } of own) {
      if (op === "-=") {
        missing.push(...more.filter((value) => !values.includes(value)));
        values = values.filter((value) => !more.includes(value));
      } else {
        values = op === "=" && !isOwn ? [...more] : [...values, ...more];
        isOwn ||= op === "=";
      }
    }
    return { values, missing };
  }
}
