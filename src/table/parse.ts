import { nearest } from "../units.ts";
import { asObject, onlyKeys, readDocument, validated } from "./document.ts";
import type { TableInput } from "./input.ts";
import { type KeyPath, Problems } from "./problem.ts";
import { resolveHandler, resolveServer, resolveService } from "./resolve.ts";
import {
  commonSchema,
  handlerSchema,
  KIND_KEYS,
  type KindKey,
  kindSchemas,
  NAME_RULE,
  nameSchema,
} from "./schema.ts";
import { serverSchema } from "./server_schema.ts";
import type { Handler, Service } from "./service.ts";
import { type ServerSettings, Table } from "./table.ts";
import { readDestination } from "./values.ts";
import { asWritten } from "./written.ts";

/**
 * Reads a table from TOML.
 *
 * @param file the name that errors give it
 * @throws {TableError} with every problem, each with its line
 */
export function parseTable(text: string, file: string): Table {
  const { value, problems, located } = readDocument(text, file);
  const table = build(value, problems);
  // Objects move keys such as "7" to their front, so the order of the services
  // comes from their lines in the file.
  const line = (service: Service) =>
    problems.lineOf(["services", service.name]) ?? 0;
  return new Table(
    table.server,
    table.services.toSorted((a, b) => line(a) - line(b)),
    undefined,
    located,
  );
}

/**
 * Makes a table from objects.
 *
 * @throws {TableError} with every problem
 */
export function buildTable(input: TableInput): Table {
  const { server, services } = build(asWritten(input), new Problems());
  return new Table(server, services);
}

function build(
  input: unknown,
  problems: Problems,
): { server: ServerSettings; services: Service[] } {
  const root = asObject(input, [], problems);
  onlyKeys(
    root,
    ["server", "services"],
    problems,
    (key) => misplaced(key, root[key]),
  );
  const server = resolveServer(
    validated(
      serverSchema,
      asObject(root["server"] ?? {}, ["server"], problems),
      ["server"],
      problems,
    ) ?? serverSchema.parse({}),
  );
  const services: Service[] = [];
  const entries = asObject(root["services"] ?? {}, ["services"], problems);
  for (const [name, entry] of Object.entries(entries)) {
    const path = ["services", name];
    if (!nameSchema.safeParse(name).success) {
      problems.add(path, `is not a valid service name; allowed: ${NAME_RULE}`);
    }
    const service = typeof entry === "function"
      ? handlerService(name, entry as Handler, server)
      : buildService(name, entry, path, server, problems);
    if (service !== undefined) services.push(service);
  }
  checkNames(entries, problems);
  problems.throwIfAny();
  return { server, services };
}

/** The message about a key that belongs one level deeper. */
function misplaced(key: string, value: unknown): string | undefined {
  if (Object.hasOwn(serverSchema.shape, key)) {
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
  return resolveHandler(name, { ...commonSchema.parse({}), handler }, server);
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
  checkPause(object, path, problems);
  const valid = validated(
    kindSchemas[kind],
    object,
    path,
    problems,
    (key) => ofOtherKinds(key, kind),
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
  object: Record<string, unknown>,
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
  for (
    const key of [
      "idle_timeout",
      "half_closed_timeout",
      "stall_timeout",
    ] as const
  ) {
    const schema = commonSchema.shape[key];
    const limit = schema.safeParse(object[key]).data ?? 0;
    if (limit !== 0) add(key);
  }
}

/** Adds a problem for a `rate_pause` without a `rate`. */
function checkPause(
  { rate, rate_pause }: Record<string, unknown>,
  path: KeyPath,
  problems: Problems,
): void {
  if (rate_pause === undefined || rate !== undefined) return;
  problems.add([...path, "rate_pause"], "needs rate");
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
    Object.hasOwn(kindSchemas[other].shape, key)
  );
  if (owners.length === 0) return undefined;
  return `is a key of ${owners.join(" and ")} services, not of ${kind}`;
}

/** Adds problems for names that two services have, whatever the case. */
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
      `the name ${JSON.stringify(name)} is already used by the service ` +
        `${owner} (upper and lower case make no difference)`,
    );
  }
}
