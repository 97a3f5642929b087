import * as v from "valibot";
import { readDestination } from "../parse_endpoint.ts";
import { nearest } from "../units.ts";
import { type Document, readDocument } from "./files/document.ts";
import { Names } from "./files/names.ts";
import type { TableInput } from "./input.ts";
import { asObject, onlyKeys, validated } from "./keys.ts";
import { type KeyPath, type Problem, Problems, TableError } from "./problem.ts";
import { resolveHandler, resolveServer, resolveService } from "./resolve.ts";
import {
  commonSchema,
  handlerSchema,
  includeSchema,
  KIND_KEYS,
  type KindKey,
  kindSchemas,
  NAME_RULE,
  nameSchema,
} from "./schema.ts";
import { RELAY_TIMES, serverSchema } from "./server_schema.ts";
import type { Handler, Service } from "./service.ts";
import { type ServerSettings, Table } from "./table.ts";
import { asWritten } from "./written.ts";

type Values = Record<string, unknown>;

/** What a table is made of: a file, or the objects of a program. */
interface Part {
  readonly value: unknown;
  readonly problems: Problems;
}

/** Where `include` belongs. */
const ABOVE = "stands at the top of the table, above [server]";

/** What a table cannot have that is no file. */
const NO_FILE = "needs a file: a table that a program passes on has none";

/**
 * Reads a table from TOML that a program has.
 *
 * @param file the name that errors give it
 * @throws {TableError} with every problem, each with its line
 */
export function parseTable(text: string, file: string): Table {
  const document = readDocument(text, file);
  checkFileKeys(document);
  return tableOf(document);
}

/**
 * Makes a table of the files that it stands in.
 *
 * @param included the files that it includes, in their order
 * @param found what is wrong with other files of it
 * @throws {TableError} with every problem, each with its file and line
 */
export function tableOf(
  main: Document,
  included: readonly Document[] = [],
  found: readonly Problem[] = [],
): Table {
  const { server, services } = build(main, included, found);
  const elsewhere = new Map(
    included.flatMap((part) =>
      Object.keys(part.value["services"] ?? {}).map((name) => [name, part])
    ),
  );
  const located = { ...main.located, elsewhere };
  return new Table(server, services, undefined, located);
}

/**
 * Makes a table from objects.
 *
 * @throws {TableError} with every problem
 */
export function buildTable(input: TableInput): Table {
  const part = { value: asWritten(input), problems: new Problems() };
  checkFileKeys(part);
  const { server, services } = build(part);
  return new Table(server, services);
}

/** The paths and patterns of the files that a table includes. */
export function includesOf({ value, problems }: Document): readonly string[] {
  const { include = [] } = value;
  return validated(includeSchema, include, ["include"], problems) ?? [];
}

/** Adds problems for keys that need a file, of a table that is in none. */
function checkFileKeys({ value, problems }: Part): void {
  const { include, server } = (value ?? {}) as Values;
  if (include !== undefined) problems.add(["include"], NO_FILE);
  const { watch } = (server ?? {}) as Values;
  if (watch === true) problems.add(["server", "watch"], NO_FILE);
}

function build(
  main: Part,
  included: readonly Part[] = [],
  found: readonly Problem[] = [],
): { server: ServerSettings; services: Service[] } {
  const root = asObject(main.value, [], main.problems);
  onlyKeys(
    root,
    ["server", "services", "include"],
    main.problems,
    (key) => misplaced(key, root[key]),
  );
  const server = resolveServer(
    validated(
      serverSchema,
      asObject(root["server"] ?? {}, ["server"], main.problems),
      ["server"],
      main.problems,
      (key) => key === "include" ? ABOVE : undefined,
    ) ?? v.parse(serverSchema, {}),
  );
  checkNeeds(root["server"], ["server"], "group", "user", main.problems);
  for (const { value, problems } of included) {
    const root = value as Values;
    onlyKeys(
      root,
      ["services"],
      problems,
      (key) =>
        ["server", "include"].includes(key)
          ? "stands in the table itself, not in a file that it includes"
          : misplaced(key, root[key]),
    );
  }
  const parts = [main, ...included];
  const names = new Names();
  const services = parts.flatMap((part) => servicesOf(part, server, names));
  const problems = parts.flatMap(({ problems }) => problems.sorted());
  const all = [...problems, ...found];
  if (all.length > 0) throw new TableError(all);
  return { server, services };
}

/** The services of one part, in the order of their lines. */
function servicesOf(
  { value, problems }: Part,
  server: ServerSettings,
  names: Names,
): Service[] {
  const root = (value ?? {}) as Values;
  const services: { service: Service; line: number }[] = [];
  const entries = asObject(root["services"] ?? {}, ["services"], problems);
  for (const [name, entry] of Object.entries(entries)) {
    const path = ["services", name];
    if (!v.is(nameSchema, name)) {
      problems.add(path, `is not a valid service name; allowed: ${NAME_RULE}`);
    }
    const service = typeof entry === "function"
      ? handlerService(name, entry as Handler, server)
      : buildService(name, entry, path, server, problems);
    if (service === undefined) continue;
    services.push({ service, line: problems.lineOf(path) ?? 0 });
  }
  names.check(entries, problems);
  // Objects move keys such as "7" to their front, so the order of the services
  // comes from their lines in the file.
  return services.toSorted((a, b) => a.line - b.line)
    .map(({ service }) => service);
}

/** The message about a key that belongs one level deeper. */
function misplaced(key: string, value: unknown): string | undefined {
  if (Object.hasOwn(serverSchema.entries, key)) {
    return `belongs in server: write server.${key}`;
  }
  const isService = typeof value === "function" ||
    typeof value === "object" && value !== null &&
      [...KIND_KEYS, "handler"].some((kind) => kind in value);
  return isService ? `belongs in services: write services.${key}` : undefined;
}

/** What a service is, where it is no table. */
function serviceForm(entry: unknown, { areOfFile }: Problems): string {
  const address = typeof entry === "string" &&
      typeof readDestination(entry) !== "string"
    ? JSON.stringify(entry)
    : undefined;
  const example = address === undefined
    ? ""
    : ` such as { connect${areOfFile ? " =" : ":"} ${address} }`;
  return `a table${example}${areOfFile ? "" : ", or a function"}`;
}

function handlerService(
  name: string,
  handler: Handler,
  server: ServerSettings,
): Service {
  return resolveHandler(
    name,
    { ...v.parse(commonSchema, {}), handler },
    server,
  );
}

function buildService(
  name: string,
  entry: unknown,
  path: KeyPath,
  server: ServerSettings,
  problems: Problems,
): Service | undefined {
  const before = problems.all.length;
  const form = serviceForm(entry, problems);
  const object = asObject(entry, path, problems, form);
  if (problems.all.length > before) return;
  checkNeeds(object, path, "rate_pause", "rate", problems);
  if ("handler" in object && !problems.areOfFile) {
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
  if (kind === "exec") checkSocketKeys(object, path, problems);
  const valid = validated(
    kindSchemas[kind],
    object,
    path,
    problems,
    (key) => key === "include" ? ABOVE : ofOtherKinds(key, kind),
  );
  return valid === undefined
    ? undefined
    : resolveService(name, kind, valid, server);
}

/**
 * Adds problems for what needs the bytes of a connection: the server does not
 * see them where a program has the socket itself.
 */
function checkSocketKeys(
  object: Values,
  path: KeyPath,
  problems: Problems,
): void {
  if (object["stdio"] !== "socket") return;
  const add = (key: string) =>
    problems.add(
      [...path, key],
      'cannot be used with stdio = "socket": the server does not see the bytes',
    );
  if (object["on_client_end"] === "terminate") add("on_client_end");
  for (const key of RELAY_TIMES) {
    const limit = v.safeParse(commonSchema.entries[key], object[key]);
    if (limit.success && limit.output) add(key);
  }
}

/** Adds a problem for a key that means nothing without another one. */
function checkNeeds(
  object: unknown,
  path: KeyPath,
  key: string,
  needed: string,
  problems: Problems,
): void {
  const { [key]: value, [needed]: other } = (object ?? {}) as Values;
  if (value === undefined || other !== undefined) return;
  problems.add([...path, key], `needs ${needed}`);
}

/** The kinds of a service that has several; or the kind that a key may mean. */
function foundKinds(object: object, kinds: readonly string[]): string {
  if (kinds.length > 1) return ` (it has ${kinds.join(" and ")})`;
  for (const key of Object.keys(object)) {
    const meant = nearest(key, KIND_KEYS);
    if (meant !== undefined) {
      return ` (did you mean ${meant} instead of ${key}?)`;
    }
  }
  return "";
}

/** The message about a key that only other kinds have. */
function ofOtherKinds(key: string, kind: KindKey): string | undefined {
  const owners = KIND_KEYS.filter((other) =>
    Object.hasOwn(kindSchemas[other].entries, key)
  );
  if (owners.length === 0) return undefined;
  return `is a key of ${owners.join(" and ")} services, not of ${kind}`;
}
