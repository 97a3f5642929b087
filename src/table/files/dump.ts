/** A table as one file that says every key, also those that were left out. */
import * as v from "valibot";
import type { Document } from "./document.ts";
import { SERVERS } from "../keys.ts";
import { formatPath } from "../problem.ts";
import { KIND_KEYS, kindSchemas } from "../schema.ts";
import { RELAY_TIMES, serverSchema } from "../server_schema.ts";
import { innermost } from "../written.ts";

type Values = Readonly<Record<string, unknown>>;
type Shape = Readonly<Record<string, v.GenericSchema>>;

/** Of a key whose value no file can write: what holds then, in words. */
class Note {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/**
 * The effective table as TOML. Dumped again, it gives itself.
 *
 * @param documents the files of a table that is right, the first with the
 * settings
 * @param names of the services, in their order
 */
export function dumpTable(
  documents: readonly Document[],
  names: readonly string[],
): string {
  const server = settingsOf(documents);
  const services = servicesOf(documents);
  return [
    section(["server"], server),
    ...names.map((name) =>
      section(["services", name], serviceOf(services[name]!, server))
    ),
  ].join("\n");
}

/** The keys of `[server]`, as a file writes them. */
export function settingsOf([main]: readonly Document[]): Values {
  return complete(main?.value["server"] as Values ?? {}, serverSchema.entries);
}

/** The services as their files write them. */
export function servicesOf(
  documents: readonly Document[],
): Readonly<Record<string, Values>> {
  const found = documents.map(({ value }) => value["services"] ?? {});
  return Object.assign(Object.create(null), ...found);
}

/** The keys of a service, those that it takes from the server included. */
export function serviceOf(written: Values, server: Values): Values {
  const kind = KIND_KEYS.find((key) => key in written)!;
  const all: Record<string, unknown> = {
    ...complete(written, kindSchemas[kind].entries),
  };
  for (const [key, value] of Object.entries(all)) {
    const inherited = server[key];
    const isServers = value instanceof Note && value.text === SERVERS;
    if (isServers && key in server && !(inherited instanceof Note)) {
      all[key] = inherited;
    }
  }
  if (!("rate" in written)) all["rate_pause"] = new Note("goes with rate");
  if (written["stdio"] === "socket") {
    for (const key of RELAY_TIMES) {
      all[key] = new Note("none: the server sees no byte");
    }
  }
  return all;
}

/** The values of a table with those that it leaves out. */
function complete(written: Values, shape: Shape): Values {
  return Object.fromEntries(
    Object.entries(shape).map(([key, schema]) => {
      const value = written[key] ?? presetOf(schema);
      const within = innermost(schema);
      return "entries" in within && !(value instanceof Note)
        ? [key, complete(value as Values, within.entries as Shape)]
        : [key, value];
    }),
  );
}

/** What holds where the key is left out. */
function presetOf(schema: v.GenericSchema): unknown {
  if ("default" in schema && schema.default !== undefined) {
    return schema.default;
  }
  const { otherwise = "" } = v.getMetadata(schema);
  return new Note(String(otherwise).replaceAll("`", ""));
}

/** A table of the file, and then the tables in it. */
function section(path: readonly string[], values: Values): string {
  const lines = [`[${formatPath(path)}]\n`];
  const within: string[] = [];
  for (const [key, value] of Object.entries(values)) {
    if (isTable(value) && key !== "env") {
      within.push(`\n${section([...path, key], value)}`);
    } else if (value instanceof Note) lines.push(`# ${key}: ${value.text}\n`);
    else lines.push(`${keyOf(key)} = ${literal(value)}\n`);
  }
  return [...lines, ...within].join("");
}

function isTable(value: unknown): value is Values {
  return typeof value === "object" && value !== null &&
    !Array.isArray(value) && !(value instanceof Note);
}

/** A key in TOML. */
function keyOf(key: string): string {
  return escaped(formatPath([key]));
}

/** DEL is the one character that JSON leaves as it is, and TOML does not. */
function escaped(json: string): string {
  return json.replaceAll("\x7f", "\\u007f");
}

/** A value in TOML. */
function literal(value: unknown): string {
  if (typeof value === "string") return escaped(JSON.stringify(value));
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (!isTable(value)) return String(value);
  const entries = Object.entries(value).map(([key, value]) =>
    `${keyOf(key)} = ${literal(value)}`
  );
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}
