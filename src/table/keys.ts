/**
 * The keys of tables: schemas that say which a table must have or may have, and
 * what is wrong with a table, as problems.
 */
import * as v from "valibot";
import { nearest } from "../units.ts";
import type { KeyPath, Problems } from "./problem.ts";

type Schema = v.GenericSchema;
type Issue = v.BaseIssue<unknown>;
type Values = Record<string, unknown>;

/** A key that must be there. */
export function required<S extends Schema>(value: S, description: string) {
  return v.pipe(value, v.description(description));
}

/** A key whose value is `preset`, as a table has it, where it is left out. */
export function preset<S extends Schema>(
  value: S,
  preset: NonNullable<v.InferInput<S>>,
  description: string,
) {
  return v.pipe(v.optional(value, preset), v.description(description));
}

/** What holds where a key is left out that the server has as well, in words. */
export const SERVERS = "the server's";

/** A key that may be left out; `otherwise` says in words what holds then. */
export function optional<S extends Schema>(
  value: S,
  otherwise: string,
  description: string,
) {
  return v.pipe(v.optional(value), v.metadata({ description, otherwise }));
}

/**
 * A table of these keys. Unlike valibot's own, it finds every unknown key, and
 * reads presets once: most services leave most keys out.
 */
export function table<const E extends v.ObjectEntries>(
  entries: E,
  message = "a table",
): v.StrictObjectSchema<E, string> {
  const known = Object.keys(entries);
  return ofMembers(
    v.strictObject(entries, message),
    entries,
    (key) => v.never(unknownKey(key, known)),
  );
}

/** A table of any number of keys. */
export function record<K extends v.GenericSchema<string>, S extends Schema>(
  key: K,
  value: S,
  message = "a table",
): v.RecordSchema<K, S, string> {
  return ofMembers(v.record(key, value, message), {}, (name) => {
    const { issues } = v.safeParse(key, name);
    if (issues === undefined) return value;
    const allowed = issues.map(({ message }) => message).join(", ");
    return v.never(`is not a valid name; allowed: ${allowed}`);
  });
}

/**
 * The schema of a table with its members read in our way: `~run` is how valibot
 * has any schema read a value.
 *
 * @param others for keys without an entry: what they must be, or `never`, whose
 * message is the whole problem
 */
function ofMembers<S extends Schema>(
  schema: S,
  entries: v.ObjectEntries,
  others: (key: string) => Schema,
): S {
  const known = Object.keys(entries);
  const needed = known.filter((key) => entries[key]!.type !== "optional");
  let presets: Values | undefined;
  return {
    ...schema,
    "~run"({ value: input }, config) {
      // As it would be for any other value that is no object.
      if (!isTable(input)) return schema["~run"]({ value: null }, config);
      const value: Values = { ...presets ??= presetsOf(entries) };
      let found: Map<string, Issue[]> | undefined;
      let typed = true;
      const missing = needed.filter((key) => !(key in input));
      for (const key of [...missing, ...keysIn(input, known)]) {
        const member = Object.hasOwn(entries, key)
          ? entries[key]!
          : others(key);
        const read = member["~run"]({ value: input[key] }, config);
        value[key] = read.value;
        // What an unknown key leaves as it is can be checked further.
        typed &&= read.typed || member.type === "never";
        if (read.issues === undefined) continue;
        const place = placeOf(input, key);
        found ??= new Map();
        found.set(key, read.issues.map((issue) => within([place], issue)));
      }
      return found === undefined
        ? { typed: true, value }
        : { typed, value, issues: inOrder(found, known) };
    },
  } as S;
}

/** The keys of a table; an object of a program may inherit some. */
function keysIn(input: Values, known: readonly string[]): Iterable<string> {
  const prototype: unknown = Object.getPrototypeOf(input);
  if (prototype === Object.prototype || prototype === null) {
    return Object.keys(input);
  }
  const keys = new Set(known.filter((key) => key in input));
  for (const key in input) keys.add(key);
  return keys;
}

/** What is wrong with the known keys, in their order, and then with others. */
function inOrder(
  found: ReadonlyMap<string, Issue[]>,
  known: readonly string[],
): Issue[] {
  const order = new Set([...known, ...found.keys()]);
  return [...order].flatMap((key) => found.get(key) ?? []);
}

/**
 * What a table is read into: what holds for the keys that are left out, and
 * room for those that are needed. V8 makes a hash table of an object with many
 * keys that gets another one, and that is slow to copy.
 */
function presetsOf(entries: v.ObjectEntries): Values {
  const all = Object.entries(entries).map(([key, schema]) => {
    const read = "default" in schema ? v.parse(schema, undefined) : undefined;
    return [key, Object.freeze(read)] as const;
  });
  return Object.fromEntries(
    all.filter(([key, read]) =>
      read !== undefined || entries[key]!.type !== "optional"
    ),
  );
}

/** Adds an issue for the key of a table that `wrong` finds. */
export function checked<T extends object>(
  wrong: (
    table: NoInfer<T>,
  ) => { readonly key: string; readonly allowed: string } | undefined,
) {
  return v.rawCheck<T>(({ dataset, addIssue }) => {
    const found = dataset.typed ? wrong(dataset.value) : undefined;
    if (found === undefined) return;
    const place = placeOf(dataset.value as Values, found.key);
    addIssue({ message: found.allowed, path: [place] });
  });
}

function placeOf(input: Values, key: string): v.ObjectPathItem {
  return { type: "object", origin: "value", input, key, value: input[key] };
}

function within(places: readonly v.IssuePathItem[], issue: Issue): Issue {
  return {
    ...issue,
    path: [...places, ...issue.path ?? []] as NonNullable<Issue["path"]>,
  };
}

/**
 * @param elsewhere what to say of an unknown key that belongs elsewhere
 * @returns the output of the schema, or undefined if there are problems
 */
export function validated<S extends Schema>(
  schema: S,
  value: unknown,
  path: KeyPath,
  problems: Problems,
  elsewhere: (key: string) => string | undefined = () => undefined,
): v.InferOutput<S> | undefined {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  for (
    const { type, message, path: places = [] } of result.issues.flatMap(ofItems)
  ) {
    const keys = places.map(({ key }) => key as string | number);
    const last = places.at(-1);
    const found = last === undefined ? value : last.value;
    problems.add(
      [...path, ...keys],
      type === "never"
        ? elsewhere(String(last?.key)) ?? message
        : `is ${describe(found)}; allowed: ${message}`,
    );
  }
}

/** If a value may be one or a list, what is wrong with items of its list. */
function ofItems(issue: Issue): Issue[] {
  if (issue.type !== "union") return [issue];
  const items = issue.issues!.filter(({ path }) => path !== undefined);
  if (items.length === 0) return [issue];
  return items.map((item) => within(issue.path ?? [], item));
}

/**
 * Adds problems for unknown keys of a file; `$schema` is for editors.
 *
 * @param elsewhere what to say of an unknown key that belongs elsewhere
 */
export function onlyKeys(
  root: object,
  known: readonly string[],
  problems: Problems,
  elsewhere: (key: string) => string | undefined = () => undefined,
): void {
  for (const key of Object.keys(root)) {
    if (key === "$schema" || known.includes(key)) continue;
    problems.add([key], elsewhere(key) ?? unknownKey(key, known));
  }
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return meant === undefined
    ? `unknown key; allowed: ${known.join(", ")}`
    : `unknown key (did you mean ${meant}?)`;
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "function") return "a function";
  if (typeof value === "number" || typeof value === "bigint") {
    return String(value);
  }
  const text = textOf(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** As JSON, where that says what it is: a Map would look like an empty table. */
function textOf(value: unknown): string {
  const isPlain = typeof value !== "object" || value === null ||
    isTable(value) || Array.isArray(value) || value instanceof Date;
  try {
    if (isPlain) return JSON.stringify(value) ?? String(value);
  } catch {
    // It holds itself, or a BigInt.
  }
  return Object.prototype.toString.call(value);
}

/**
 * The value, if it is a table; if not, an empty table, and a problem.
 *
 * @param form what is allowed
 */
export function asObject(
  value: unknown,
  path: KeyPath,
  problems: Problems,
  form = "a table",
): Record<string, unknown> {
  if (isTable(value)) return value;
  problems.add(path, `is ${describe(value)}; allowed: ${form}`);
  return {};
}

export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null &&
    !(Symbol.iterator in value) && !(value instanceof Date) &&
    !(value instanceof Promise);
}
