/**
 * What a program may put into a table besides what a file can hold, as a file
 * would say it: addresses as objects, durations as milliseconds.
 */
import * as v from "valibot";
import type { Endpoint } from "../endpoint.ts";
import { endpointText } from "../parse_endpoint.ts";
import { durationText } from "../units.ts";
import { handlerSchema, kindSchemas } from "./schema.ts";
import { serverSchema } from "./server_schema.ts";

/** A service of another TCPMUX server. */
export interface RemoteService {
  /** `HOST:PORT`, `[V6]:PORT`, `unix:/path`, or an {@linkcode Endpoint}. */
  server: string | Endpoint;
  /** Its name there. */
  service: string;
}

/** The keys of each table, with their schemas. */
type Shape = Readonly<Record<string, v.GenericSchema>>;

/** The keys of services of all kinds: none has two meanings. */
const SERVICE: Shape = Object.assign(
  {},
  handlerSchema.entries,
  ...Object.values(kindSchemas).map(({ entries }) => entries),
);

/** The table in the words of a file. What is wrong with it is left as it is. */
export function asWritten(table: unknown): unknown {
  return changed(table, (key, value) => {
    if (key === "server") return section(value, serverSchema.entries);
    if (key !== "services") return value;
    return changed(value, (_, service) => section(service, SERVICE));
  });
}

function section(value: unknown, shape: Shape): unknown {
  return changed(value, (key, value) => {
    const schema = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (schema === undefined) return value;
    const inner = innermost(schema);
    if ("entries" in inner) return section(value, inner.entries as Shape);
    if (key === "tcpmux") return remoteText(value);
    const kind = String(v.getMetadata(inner)["value"]);
    if (kind === "duration") return duration(value);
    if (!kind.startsWith("address")) return value; // or a list of addresses
    return Array.isArray(value) ? value.map(addressText) : addressText(value);
  });
}

function addressText(value: unknown): unknown {
  return endpointText(value) ?? value;
}

function remoteText(value: unknown): unknown {
  const { server, service } = (value ?? {}) as Record<string, unknown>;
  const at = typeof server === "string" ? server : endpointText(server);
  if (at === undefined || typeof service !== "string") return value;
  const isUrl = /^tcpmuxs?:\/\//i.test(at);
  return `${at}/${isUrl ? encodeURIComponent(service) : service}`;
}

function duration(value: unknown): unknown {
  const isWhole = Number.isSafeInteger(value) && value as number > 0;
  return isWhole ? durationText(value as number) : value;
}

/** The schema within those that make a key optional. */
export function innermost(schema: v.GenericSchema): v.GenericSchema {
  return "wrapped" in schema
    ? innermost(schema.wrapped as v.GenericSchema)
    : schema;
}

/** A copy of a plain object whose values went through `change`. */
function changed(
  value: unknown,
  change: (key: string, value: unknown) => unknown,
): unknown {
  if (typeof value !== "object" || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, value]) => [key, change(key, value)]),
  );
}
