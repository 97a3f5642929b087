/** The keys of the service table and of forwards, as generators need them. */
import { type ConversionConfig, toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { hostSchema } from "../../src/cli/remote/hosts.ts";
import { forwardSchema, settingsSchema } from "../../src/table/forwards.ts";
import {
  commonSchema,
  fileSchema,
  handlerSchema,
  type KindKey,
  kindSchemas,
} from "../../src/table/schema.ts";
import { serverSchema } from "../../src/table/server_schema.ts";

/** A part of a JSON Schema, with the metadata of src/table/values.ts. */
export interface Node {
  readonly description?: string;
  readonly default?: unknown;
  readonly otherwise?: string;
  readonly value?: string;
  readonly form?: string;
  /** What its type is called, where not after its key. */
  readonly typeName?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Node[];
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Node | false;
}

export interface Key {
  readonly name: string;
  readonly required: boolean;
  readonly node: Node;
}

/** What a file may hold, each value as it is written. */
export function nodeOf(
  schema: v.GenericSchema,
  config?: ConversionConfig,
): Node {
  return toJsonSchema(schema, {
    // They change what was read, or are no part of a JSON Schema.
    ignoreActions: ["transform", "raw_transform", "check", "raw_check"],
    overrideSchema({ valibotSchema, jsonSchema }) {
      if (valibotSchema.type === "custom") return {}; // functions
      if (jsonSchema.required?.length === 0) delete jsonSchema.required;
      return jsonSchema;
    },
    ...config,
  }) as Node;
}

export function keysOf({ properties = {}, required = [] }: Node): Key[] {
  return Object.entries(properties).map(([name, node]) => ({
    name,
    required: required.includes(name),
    node: node.properties === undefined ? node : { value: "table", ...node },
  }));
}

/** The keys of a table within, such as `[server.log]`. */
export function keysWithin(keys: readonly Key[], name: string): Key[] {
  return keysOf(tableIn(keys.find((key) => key.name === name)!.node)!);
}

/** The table that a value is or may be, or a list of which it is. */
export function tableIn(node: Node): Node | undefined {
  const all = [node, node.items, ...node.anyOf ?? []];
  return all.find((one) => one?.properties !== undefined);
}

/** The keys of a whole file that are no tables. */
export const FILE_KEYS = keysOf(nodeOf(fileSchema))
  .filter(({ node: { value = "table" } }) => value !== "table");
export const SERVER_KEYS = keysOf(nodeOf(serverSchema));
export const COMMON_KEYS = keysOf(nodeOf(commonSchema));
export const FORWARD_KEYS = keysOf(nodeOf(forwardSchema));
/** The keys of an alias of a server, in the file of the client. */
export const HOST_KEYS = keysOf(nodeOf(hostSchema));
export const FORWARD_SERVER_KEYS = keysOf(nodeOf(settingsSchema));

/** The keys of one kind of service alone. */
function ownKeys(schema: v.GenericSchema): Key[] {
  const isCommon = (key: Key) => key.name in commonSchema.entries;
  return keysOf(nodeOf(schema)).filter((key) => !isCommon(key));
}

export const HANDLER_KEYS = ownKeys(handlerSchema);
export const KIND_KEYS = Object.fromEntries(
  Object.entries(kindSchemas).map(([kind, schema]) => [kind, ownKeys(schema)]),
) as Record<KindKey, Key[]>;

/** The value that a key has where it is left out, or words for it. */
export function defaultOf({ node }: Key): string {
  if (node.otherwise !== undefined) return node.otherwise;
  if (node.default === undefined || node.properties !== undefined) return "";
  return `\`${literal(node.default)}\``;
}

/** A value in TOML and in TypeScript alike. */
export function literal(value: unknown): string {
  return Array.isArray(value)
    ? `[${value.map(literal).join(", ")}]`
    : JSON.stringify(value);
}
