import type * as z from "zod";
import { nearest } from "../nearest.ts";
import { type KeyPath, locateKeys } from "./locate.ts";
import { Problems, TableError } from "./problem.ts";
import {
  type HandlerInput,
  handlerSchema,
  KIND_KEYS,
  type KindKey,
  kindSchemas,
  NAME_RULE,
  nameSchema,
  type ServerInput,
  serverSchema,
  type ServiceInput,
} from "./schema.ts";
import { resolveHandler, resolveServer, resolveService } from "./resolve.ts";
import type { Handler, Service } from "./service.ts";
import { type ServerSettings, Table } from "./table.ts";
import { readToml } from "./toml.ts";

/** A service table as a program writes it: what the TOML holds, as objects. */
export interface TableInput {
  server?: ServerInput;
  /** A function is a service too: it gets each connection. */
  services?: Record<string, ServiceInput | HandlerInput | Handler>;
}

/**
 * Reads a table from TOML.
 *
 * @param file the name that errors give it
 * @throws {TableError} with every problem, each with its line
 */
export function parseTable(text: string, file: string): Table {
  const located = locateKeys(text);
  const problems = new Problems(file, located);
  for (const { path, line, message } of located.faults) {
    problems.addAt(line, path, message);
  }
  if (!located.readable) problems.throwIfAny();
  const toml = readToml(text);
  if (!toml.ok) {
    const { line, message } = toml.error;
    // The parser's word for such a fault says neither what nor where.
    if (toml.error.clash) problems.throwIfAny();
    throw new TableError([{ file, line, key: "", message }]);
  }
  const table = build(toml.value, problems);
  // Objects move keys such as "7" to their front: the file tells the order.
  const line = (service: Service) =>
    problems.lineOf(["services", service.name]) ?? 0;
  return new Table(
    table.server,
    table.services.toSorted((a, b) => line(a) - line(b)),
  );
}

/**
 * Makes a table from objects.
 *
 * @throws {TableError} with every problem
 */
export function buildTable(input: TableInput): Table {
  const { server, services } = build(input, new Problems());
  return new Table(server, services);
}

function build(
  input: unknown,
  problems: Problems,
): { server: ServerSettings; services: Service[] } {
  const root = asObject(input, [], problems);
  for (const key of Object.keys(root)) {
    if (!["server", "services", "$schema"].includes(key)) {
      problems.add([key], unknownKey(key, ["server", "services"]));
    }
  }
  const server = resolveServer(
    validated(
      serverSchema,
      asObject(root["server"] ?? {}, ["server"], problems),
      ["server"],
      problems,
    ) ?? {},
  );
  const services: Service[] = [];
  const entries = asObject(root["services"] ?? {}, ["services"], problems);
  for (const [name, entry] of Object.entries(entries)) {
    const path = ["services", name];
    if (!nameSchema.safeParse(name).success) {
      problems.add(path, `is no name for a service; allowed: ${NAME_RULE}`);
    }
    const service = typeof entry === "function"
      ? resolveHandler(name, { handler: entry as Handler }, server)
      : buildService(name, entry, path, server, problems);
    if (service !== undefined) services.push(service);
  }
  checkNames(entries, problems);
  problems.throwIfAny();
  return { server, services };
}

function buildService(
  name: string,
  entry: unknown,
  path: KeyPath,
  server: ServerSettings,
  problems: Problems,
): Service | undefined {
  const before = problems.all.length;
  const object = asObject(entry, path, problems);
  if (problems.all.length > before) return;
  if (typeof object["handler"] === "function") {
    const valid = validated(handlerSchema, object, path, problems);
    return valid && resolveHandler(name, valid, server);
  }
  const kinds = KIND_KEYS.filter((key) => key in object);
  const kind = kinds[0];
  if (kind === undefined || kinds.length > 1) {
    problems.add(
      path,
      `needs exactly one of ${KIND_KEYS.join(", ")}${
        foundKinds(object, kinds)
      }`,
    );
    return;
  }
  const valid = validated(kindSchemas[kind], object, path, problems, kind);
  return valid === undefined
    ? undefined
    : resolveService(name, kind, valid, server);
}

/** What stands there in place of one kind. */
function foundKinds(object: object, kinds: readonly string[]): string {
  if (kinds.length > 1) return ` (it has ${kinds.join(" and ")})`;
  for (const key of Object.keys(object)) {
    const meant = nearest(key, KIND_KEYS);
    if (meant !== undefined) return ` (is ${meant} meant by ${key}?)`;
  }
  return "";
}

/** The value as the schema makes it, or undefined and problems. */
function validated<T extends z.ZodType>(
  schema: T,
  value: unknown,
  path: KeyPath,
  problems: Problems,
  kind?: KindKey,
): z.output<T> | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues.flatMap(ofItems)) {
    const at = [...path, ...issue.path] as KeyPath;
    if (issue.code === "unrecognized_keys") {
      const known = keysAt(schema, issue.path);
      for (const key of issue.keys) {
        problems.add([...at, key], unknownKey(key, known, kind));
      }
    } else {
      const found = describe(valueAt(value, issue.path));
      problems.add(at, `is ${found}; allowed: ${allowed(issue)}`);
    }
  }
}

/** Of one address or a list of them: what is wrong with items of the list. */
function ofItems(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const items = issue.errors.flat().filter(({ path }) => path.length > 0);
  if (items.length === 0) return [issue];
  return items.map((item) => ({
    ...item,
    path: [...issue.path, ...item.path],
  }));
}

/** A union or a key says what is allowed only in the issues within. */
function allowed(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_key") {
    return `as its name ${issue.issues.map(allowed).join(", ")}`;
  }
  if (issue.code !== "invalid_union" || issue.message !== "Invalid input") {
    return issue.message;
  }
  const said = [...new Set(issue.errors.flat().map(allowed))];
  // Of two that begin alike, the longer one says why as well.
  const longest = said.filter((one) =>
    !said.some((other) => other !== one && other.startsWith(one))
  );
  return longest.join(", or ");
}

function unknownKey(
  key: string,
  known: readonly string[],
  kind?: KindKey,
): string {
  const owners = KIND_KEYS.filter((other) =>
    Object.hasOwn(kindSchemas[other].shape, key) && !known.includes(key)
  );
  if (kind !== undefined && owners.length > 0) {
    return `goes only with ${owners.join(" or ")}, not with ${kind}`;
  }
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

function asObject(
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

/** No two services may answer to the same name, whatever its case. */
function checkNames(
  entries: Record<string, unknown>,
  problems: Problems,
): void {
  const owners = new Map<string, string>();
  for (const [service, entry] of Object.entries(entries)) {
    const path = ["services", service];
    claim(owners, service, service, path, problems);
    const aliases = (entry as { aliases?: unknown } | null)?.aliases;
    if (!Array.isArray(aliases)) continue;
    aliases.forEach((alias, index) => {
      if (typeof alias !== "string") return;
      claim(owners, alias, service, [...path, "aliases", index], problems);
    });
  }
}

function claim(
  owners: Map<string, string>,
  name: string,
  service: string,
  path: KeyPath,
  problems: Problems,
): void {
  const owner = owners.get(name.toUpperCase());
  if (owner === undefined) owners.set(name.toUpperCase(), service);
  else {
    problems.add(
      path,
      `the name ${JSON.stringify(name)} is taken already by the service ` +
        `${owner} (names are compared without regard to case)`,
    );
  }
}
