/** Validates parts of a table, and turns what zod finds into problems. */
import type * as z from "zod";
import { nearest } from "../nearest.ts";
import type { KeyPath } from "./definitions.ts";
import type { Problems } from "./problem.ts";

/**
 * @param elsewhere what to say of an unknown key that belongs elsewhere
 * @returns the output of the schema, or undefined if there are problems
 */
export function validated<T extends z.ZodType>(
  schema: T,
  value: unknown,
  path: KeyPath,
  problems: Problems,
  elsewhere: (key: string) => string | undefined = () => undefined,
): z.output<T> | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues.flatMap(ofItems)) {
    const at = [...path, ...issue.path] as KeyPath;
    if (issue.code === "unrecognized_keys") {
      const known = keysAt(schema, issue.path);
      for (const key of issue.keys) {
        problems.add([...at, key], elsewhere(key) ?? unknownKey(key, known));
      }
    } else {
      const found = describe(valueAt(value, issue.path));
      problems.add(at, `is ${found}; allowed: ${allowed(issue)}`);
    }
  }
}

/** If a value may be one or a list, what is wrong with items of its list. */
function ofItems(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const items = issue.errors.flat().filter(({ path }) => path.length > 0);
  if (items.length === 0) return [issue];
  return items.map((item) => ({
    ...item,
    path: [...issue.path, ...item.path],
  }));
}

/** What is allowed; of a union or a key, only the issues within tell. */
function allowed(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_key") {
    return `as its name ${issue.issues.map(allowed).join(", ")}`;
  }
  if (issue.code !== "invalid_union" || issue.message !== "Invalid input") {
    return issue.message;
  }
  const said = [...new Set(issue.errors.flat().map(allowed))];
  // If one message continues another, it adds the reason.
  const longest = said.filter((one) =>
    !said.some((other) => other !== one && other.startsWith(one))
  );
  return longest.join(", or ");
}

/** Adds problems for unknown keys of a file; `$schema` is for editors. */
export function onlyKeys(
  root: object,
  known: readonly string[],
  problems: Problems,
): void {
  for (const key of Object.keys(root)) {
    if (key === "$schema" || known.includes(key)) continue;
    problems.add([key], unknownKey(key, known));
  }
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  const hint = meant === undefined ? "" : ` (is ${meant} meant?)`;
  return `is no known key${hint}; allowed: ${known.join(", ")}`;
}

function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = schema;
  for (const part of path) {
    at = shapeOf(at)?.[String(part)];
  }
  return Object.keys(shapeOf(at) ?? {});
}

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  const { shape, def } = (schema ?? {}) as {
    shape?: Record<string, unknown>;
    def?: { innerType?: unknown };
  };
  return shape ?? (def?.innerType ? shapeOf(def.innerType) : undefined);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const part of path) {
    at = (at as Record<PropertyKey, unknown> | undefined)?.[part];
  }
  return at;
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "function") return "a function";
  if (typeof value === "number") return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** The value, if it is a table; if not, an empty table, and a problem. */
export function asObject(
  value: unknown,
  path: KeyPath,
  problems: Problems,
): Record<string, unknown> {
  if (
    typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date)
  ) return value as Record<string, unknown>;
  problems.add(path, `is ${describe(value)}; allowed: a table`);
  return {};
}
