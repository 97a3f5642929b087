/**
 * Who may use a service of xinetd's: by only_from and no_access, its limits and
 * its hours (xinetd.conf(5)); and what holds for its program.
 */
import { isIP } from "node:net";
import type { RlimitsInput } from "../../../table/input.ts";
import {
  type AddressRules,
  ADMIT_NOBODY,
  denyFirst,
  type Network,
  networksOf,
} from "../access.ts";
import { countOf } from "../dialect.ts";
import type { Draft } from "../draft.ts";
import type { Attribute, Attributes } from "./xinetd_file.ts";

/**
 * What the lists of an entry say. Names that cannot be looked up let nobody in,
 * and where they keep somebody out, the service is closed.
 */
export function xinetdRules(
  attributes: Attributes,
  draft: Draft,
): AddressRules {
  const only = attributes.set("only_from");
  const not = attributes.set("no_access");
  const placeOf = (name: string) => attributes.one(name)?.place ?? draft.place;
  const allow = only?.values.flatMap((word) => {
    const networks = xinetdNetworks(word);
    if (networks.length === 0) {
      draft.dropped(
        `only_from ${word}: it is no address (names are not looked up), and lets nobody in`,
        placeOf("only_from"),
      );
    }
    return networks;
  });
  if (only?.values.length === 0) draft.close("only_from is empty");
  else if (allow?.length === 0) {
    draft.close(`only_from has no address (${only!.values.join(" ")})`);
  }
  if (only !== undefined && only.missing.length > 0) {
    draft.close(
      `only_from -= ${only.missing.join(" ")} takes out what is not in it so`,
    );
  }
  const deny = (not?.values ?? []).map((word) => ({
    word,
    networks: xinetdNetworks(word),
  }));
  const names = deny.filter(({ networks }) => networks.length === 0)
    .map(({ word }) => word);
  if (names.length > 0) {
    draft.close(
      `no_access keeps out ${names.join(" ")}, and names are not looked up`,
    );
  }
  return names.length > 0 || only && only.missing.length > 0
    ? ADMIT_NOBODY
    : denyFirst(allow, deny.flatMap(({ networks }) => networks));
}

/** One word of such a list; none for what is no address. */
function xinetdNetworks(word: string): readonly Network[] {
  if (isIP(word) === 4) {
    const parts = word.split(".");
    const fixed = parts.findLastIndex((part) => Number(part) !== 0) + 1;
    return networksOf(`${word}/${fixed * 8}`);
  }
  const [, start = "", set] = /^((?:\d{1,3}\.){0,3})\{([\d,]+)\}$/.exec(word) ??
    [];
  if (set !== undefined) {
    return set.split(",").flatMap((last) => partial(`${start}${last}`));
  }
  return /^\d+\.[\d.]+$/.test(word) ? partial(word) : networksOf(word);
}

/** An address of one to four parts, which holds all that begin with them. */
function partial(text: string): readonly Network[] {
  const parts = text.split(".");
  if (parts.length > 4 || parts.some((part) => !/^\d{1,3}$/.test(part))) {
    return [];
  }
  const address = [...parts.map(Number), 0, 0, 0].slice(0, 4).join(".");
  return networksOf(`${address}/${parts.length * 8}`);
}

const UNLIMITED = "UNLIMITED";
const DAY_END = 24 * 60;

/** What xinetd held to for a port, and never for a service of TCPMUX. */
const NOW_HELD = "which xinetd did not hold to under TCPMUX, and now is";

export function setLimits(draft: Draft, attributes: Attributes): void {
  for (
    const [name, key] of [
      ["instances", "max_connections"],
      ["per_source", "max_connections_per_source"],
    ] as const
  ) {
    const attribute = attributes.one(name);
    const [word] = attribute?.values ?? [];
    if (attribute === undefined || word === UNLIMITED) continue;
    const count = countOf(word);
    if (count === 0) draft.close(`${name} = 0 lets nobody in`);
    else if (count === undefined) unreadable(draft, attribute);
    else {
      draft.keys[key] = count;
      if (isNews(draft, attributes, attribute)) {
        draft.changed(`${name} is ${key}, ${NOW_HELD}`, attribute.place);
      }
    }
  }
  setRate(draft, attributes);
}

function setRate(draft: Draft, attributes: Attributes): void {
  const attribute = attributes.one("cps");
  if (attribute === undefined) return;
  const count = countOf(attribute.values[0]);
  if (count === undefined || count === 0) return unreadable(draft, attribute);
  draft.keys.rate = `${count}/s`;
  if (!isNews(draft, attributes, attribute)) return;
  draft.changed(
    `cps is rate, ${NOW_HELD}; it refuses those beyond it, and closes nothing ` +
      "for a while",
    attribute.place,
  );
}

/** A limit of its own, which clients by name did not meet before. */
function isNews(
  { reached }: Draft,
  { own }: Attributes,
  attribute: Attribute,
): boolean {
  return reached === "by name" && own.includes(attribute);
}

function unreadable(draft: Draft, { name, values, place }: Attribute): void {
  draft.dropped(`${name} = ${values.join(" ")} cannot be read`, place);
}

/** Minutes since midnight, the second one not included. */
export type Range = readonly [number, number];

/** @returns undefined where there are none; "unreadable" is what it says */
export function accessTimes(
  attributes: Attributes,
): readonly Range[] | "unreadable" | undefined {
  const words = attributes.one("access_times")?.values;
  if (words === undefined) return undefined;
  const ranges: Range[] = [];
  for (const word of words) {
    const [, ...parts] =
      /^(\d{1,2}):(\d{1,2})-(\d{1,2}):(\d{1,2})$/.exec(word) ??
        [];
    const [h1 = 99, m1 = 99, h2 = 99, m2 = 99] = parts.map(Number);
    const [from, last] = [h1 * 60 + m1, h2 * 60 + m2];
    if (m1 > 59 || m2 > 59 || last > DAY_END || from > last) {
      return "unreadable";
    }
    // Its bounds are within: the last minute too.
    if (from < DAY_END) ranges.push([from, Math.min(last + 1, DAY_END)]);
  }
  return ranges;
}

/** The times that are in both. */
export function bothTimes(
  a: readonly Range[] | undefined,
  b: readonly Range[] | undefined,
): readonly Range[] | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.flatMap(([from, to]) =>
    b.map(([start, end]): Range => [Math.max(from, start), Math.min(to, end)])
  ).filter(([from, to]) => from < to);
}

/** As the table has them; none stands for no time at all. */
export function hoursText(ranges: readonly Range[]): string[] {
  const clock = (minute: number) =>
    [Math.trunc(minute / 60), minute % 60]
      .map((part) => String(part).padStart(2, "0")).join(":");
  return ranges.map(([from, to]) => `${clock(from)}-${clock(to)}`);
}

/** Nice, umask, limits of the system and variables, as its program gets them. */
export function setProgramSettings(draft: Draft, attributes: Attributes): void {
  const umask = attributes.word("umask");
  if (umask !== undefined) {
    if (/^0?[0-7]{1,3}$/.test(umask)) {
      draft.keys.umask = umask.slice(-3).padStart(3, "0");
    } else draft.close(`umask = ${umask} cannot be read`);
  }
  const nice = attributes.word("nice");
  if (nice !== undefined) {
    const level = /^-?\d{1,3}$/.test(nice) ? Number(nice) : NaN;
    if (level >= -20 && level <= 19) draft.keys.nice = level || 0;
    else draft.close(`nice = ${nice} cannot be read`);
  }
  setRlimits(draft, attributes);
  setVariables(draft, attributes);
}

const SIZES = {
  rlimit_as: "memory",
  rlimit_data: "data",
  rlimit_stack: "stack",
} as const;

function setRlimits(draft: Draft, attributes: Attributes): void {
  const rlimits: RlimitsInput = {};
  const given = (name: string) => {
    const word = attributes.word(name);
    return word === UNLIMITED ? undefined : word;
  };
  const wrong = (name: string, word: string) =>
    draft.close(`${name} = ${word} cannot be read`);
  for (const [name, key] of Object.entries(SIZES)) {
    const word = given(name);
    if (word === undefined) continue;
    const size = sizeText(word);
    if (size === undefined) wrong(name, word);
    else rlimits[key] = size;
  }
  const cpu = given("rlimit_cpu");
  if (cpu !== undefined) {
    if (/^[1-9]\d{0,8}$/.test(cpu)) rlimits.cpu = `${Number(cpu)}s`;
    else wrong("rlimit_cpu", cpu);
  }
  const files = given("rlimit_files");
  if (files !== undefined) {
    const count = countOf(files);
    if (count) rlimits.files = count;
    else wrong("rlimit_files", files);
  }
  const rss = attributes.one("rlimit_rss");
  if (rss) draft.dropped("rlimit_rss: Linux has no such limit", rss.place);
  if (Object.keys(rlimits).length > 0) draft.keys.rlimits = rlimits;
}

/** Bytes with K or M, rounded down to what the table can say. */
function sizeText(word: string): `${number}${"B" | "KiB" | "MiB"}` | undefined {
  const [, digits, unit] = /^(\d{1,15})([KM])?$/i.exec(word) ?? [];
  if (digits === undefined) return undefined;
  const factor = { K: 2 ** 10, M: 2 ** 20 }[unit?.toUpperCase() ?? ""] ?? 1;
  const bytes = Number(digits) * factor;
  const units = [["MiB", 2 ** 20], ["KiB", 2 ** 10], ["B", 1]] as const;
  const fit = units.filter(([, size]) => bytes / size < 1_000_000);
  const [name, size] = fit.find(([, size]) => bytes % size === 0) ??
    fit.at(-1) ?? [];
  if (name !== undefined) return `${Math.floor(bytes / size)}${name}`;
}

function setVariables(draft: Draft, attributes: Attributes): void {
  const isName = (name: string) =>
    /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !(name in {});
  const env = attributes.set("env")?.values ?? [];
  const pairs = env.map((word): [string, string] => {
    const [, name = word, value = ""] = /^([^=]*)=(.*)$/s.exec(word) ?? [];
    return [name, value];
  });
  draft.keys.env = Object.fromEntries(pairs.filter(([name]) => isName(name)));
  draft.keys.passenv = [...new Set(attributes.set("passenv")?.values ?? [])];
  for (const [name] of pairs.filter(([name]) => !isName(name))) {
    draft.dropped(`env: ${JSON.stringify(name)} is no name of a variable`);
  }
}
