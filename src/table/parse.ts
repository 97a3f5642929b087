import { nearest } from "../nearest.ts";
import { readDocument } from "./document.ts";
import type { KeyPath } from "./locate.ts";
import { Problems } from "./problem.ts";
import {
  type HandlerInput,
  handlerSchema,
  KIND_KEYS,
  type KindKey,
  kindSchemas,
  NAME_RULE,
  nameSchema,
  type ServiceInput,
} from "./schema.ts";
import { type ServerInput, serverSchema } from "./server_schema.ts";
import { resolveHandler, resolveServer, resolveService } from "./resolve.ts";
import type { Handler, Service } from "./service.ts";
import { type ServerSettings, Table } from "./table.ts";
import { asObject, onlyKeys, validated } from "./validate.ts";

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
  const { value, problems, located } = readDocument(text, file);
  const table = build(value, problems);
  // Objects move keys such as "7" to their front: the file tells the order.
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
  const { server, services } = build(input, new Problems());
  return new Table(server, services);
}

function build(
  input: unknown,
  problems: Problems,
): { server: ServerSettings; services: Service[] } {
  const root = asObject(input, [], problems);
  onlyKeys(root, ["server", "services"], problems);
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
  if (kind === "exec") checkIdleTimeout(object, path, problems);
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

/** Nobody can wait for bytes that pass by the server. */
function checkIdleTimeout(
  { stdio, idle_timeout }: Record<string, unknown>,
  path: KeyPath,
  problems: Problems,
): void {
  if (stdio !== "socket") return;
  const { idle_timeout: schema } = kindSchemas.exec.shape;
  const limit = schema.safeParse(idle_timeout).data ?? 0;
  if (limit === 0) return;
  problems.add(
    [...path, "idle_timeout"],
    'does not go with stdio = "socket": the server sees no byte then',
  );
}

/** Without a rate it would never come to a pause. */
function checkPause(
  { rate, rate_pause }: Record<string, unknown>,
  path: KeyPath,
  problems: Problems,
): void {
  if (rate_pause === undefined || rate !== undefined) return;
  problems.add([...path, "rate_pause"], "goes only with rate");
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

/** What to say of a key that only other kinds have. */
function ofOtherKinds(key: string, kind: KindKey): string | undefined {
  const owners = KIND_KEYS.filter((other) =>
    Object.hasOwn(kindSchemas[other].shape, key)
  );
  if (owners.length === 0) return undefined;
  return `goes only with ${owners.join(" or ")}, not with ${kind}`;
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
