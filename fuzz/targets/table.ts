/** Files of services and of forwards: tables, or problems with their places. */
import { readToml } from "../../src/table/files/document.ts";
import { parseForwards } from "../../src/table/forwards.ts";
import { locateKeys } from "../../src/table/files/locate.ts";
import { parseTable } from "../../src/table/parse.ts";
import {
  formatProblem,
  pathKey,
  type Problem,
  TableError,
} from "../../src/table/problem.ts";
import { Table } from "../../src/table/table.ts";
import { check, same, shown, type Target } from "../target.ts";
import { tomlOf, WORDS } from "../toml.ts";

type Parse = (text: string, file: string) => Table;

/** Ten thousand in a second or so: a million would take many minutes. */
const SLOW = 200_000;

const ADDED = "# one line more\n";

function fileOf(name: string, section: string, parse: Parse): Target {
  return {
    name,
    inputs: SLOW,
    binary: false,
    words: WORDS,
    generate: (random) => tomlOf(random, section),
    check(text) {
      const made = outcome(parse, text);
      if (made instanceof Table) checkTable(made);
      else checkProblems(made, text);
      // A remark above moves every line by one, and changes nothing else.
      if (text.startsWith("\ufeff")) return;
      const moved = outcome(parse, ADDED + text);
      same(moved instanceof Table, made instanceof Table, "below a remark");
      if (moved instanceof Table || made instanceof Table) return;
      const [lower, upper] = [inOrder(moved), inOrder(made)];
      same(lower.map(said), upper.map(said), "below a remark");
      for (const [index, { line }] of lower.entries()) {
        // What is about the whole file stands in its first line.
        const before = upper[index]!.line!;
        check(
          line === before + 1 || line === 1,
          () => `${before}, now ${line}`,
        );
      }
    },
  };
}

function outcome(parse: Parse, text: string): Table | readonly Problem[] {
  try {
    return parse(text, "f");
  } catch (error) {
    if (!(error instanceof TableError)) throw error;
    return error.problems;
  }
}

/** Messages name lines too, which move with the others. */
function said({ key, message }: Problem): string {
  return `${key}: ${message.replace(/\bline \d+/g, "line")}`;
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => said(a) < said(b) ? -1 : 1);
}

function checkProblems(problems: readonly Problem[], text: string): void {
  const lines = text.split("\n").length;
  check(problems.length > 0, () => "no problem, and no table");
  let last = 0;
  for (const problem of problems) {
    const { file, line = 0, message } = problem;
    same(file, "f", "the file");
    check(message !== "", () => "a problem without a word");
    check(line >= 1 && line <= lines, () => `line ${line} of ${lines}`);
    check(line >= last, () => `line ${line} comes behind line ${last}`);
    last = line;
    // It goes to a terminal: one line, and nothing that steers it.
    const printed = formatProblem(problem);
    const steers = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(printed);
    check(!steers, () => `it says ${shown(printed)}`);
  }
}

function checkTable(table: Table): void {
  const names = new Set<string>();
  for (const service of table.services) {
    for (const name of [service.name, ...service.aliases]) {
      check(/^[\x21-\x7e]{1,255}$/.test(name), () => `the name ${shown(name)}`);
      check(!/^help$/i.test(name), () => "HELP is a name");
      check(!names.has(name.toUpperCase()), () => `two called ${name}`);
      names.add(name.toUpperCase());
      check(
        table.byName.get(name.toUpperCase()) === service,
        () => `find ${name}`,
      );
    }
    check(/^[\x20-\x7e]*$/.test(service.message), () => shown(service.message));
  }
  const settings = Object.entries(table.server)
    .filter(([, value]) => typeof value === "number");
  for (const [key, value] of settings) {
    check(Number.isSafeInteger(value) && value >= 0, () => `${key} = ${value}`);
  }
}

export const table = fileOf("table", "services", parseTable);

export const forwards = fileOf(
  "forwards",
  "forward",
  (text, file) => parseForwards(text, file, { settings: (said) => said }),
);

/** The scanner alone: where the keys of a text stand that the parser reads. */
export const locating: Target = {
  ...table,
  name: "locate",
  inputs: 500_000,
  check(text) {
    const lines = text.split("\n").length;
    const { lines: found, faults, readable } = locateKeys(text);
    for (const line of [...found.values(), ...faults.map(({ line }) => line)]) {
      check(line >= 1 && line <= lines, () => `line ${line} of ${lines}`);
    }
    check(readable || faults.length > 0, () => "not readable, and no fault");
    if (!readable || faults.length > 0) return;
    const toml = readToml(text);
    if (!toml.ok) return;
    const pieces = readToml(text, locateKeys(text, 1).breaks);
    const isSame = JSON.stringify(pieces) === JSON.stringify(toml);
    check(isSame, () => "other values in pieces");
    for (const path of pathsOf(toml.value, [])) {
      check(found.has(pathKey(path)), () => `no line of ${shown(path)}`);
    }
  },
};

/**
 * The paths of all keys, and of all items of arrays. What stands in a table in
 * an array is left out: no table here has any.
 */
function pathsOf(value: unknown, path: readonly string[]): string[][] {
  if (typeof value !== "object" || value === null || value instanceof Date) {
    return [];
  }
  return Object.entries(value).flatMap(([key, inner]) => {
    const own = [...path, key];
    return [own, ...(Array.isArray(value) ? [] : pathsOf(inner, own))];
  });
}
