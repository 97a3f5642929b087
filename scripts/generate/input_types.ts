import type { Generated } from "./files.ts";
import {
  COMMON_KEYS,
  HANDLER_KEYS,
  type Key,
  keysOf,
  KIND_KEYS,
  literal,
  type Node,
  SERVER_KEYS,
  tableIn,
} from "./keys.ts";

/** The types of a table that a program passes to the library, documented. */
export function inputTypes(): Generated[] {
  const declared = new Set<string>();
  const kinds = Object.entries(KIND_KEYS).map(([kind, keys]) =>
    declaration(
      typeName(kind),
      `A service of the kind \`${kind}\`.`,
      keys,
      { base: "CommonInput", declared },
    )
  );
  const text = [
    "/** The input of the library. Made by npm run generate. */",
    'import type { Endpoint } from "../endpoint.ts";',
    'import type { Duration } from "../units.ts";',
    'import type { Handler } from "./service.ts";',
    'import type { RemoteService } from "./written.ts";\n',
    "/** A service table as objects: what a file would hold. */",
    "export interface TableInput {",
    "  /** The settings of the server itself. */",
    "  server?: ServerInput;",
    "  /** The services, each under its name. A function is a service too. */",
    "  services?: Record<string, ServiceInput | HandlerInput | Handler>;",
    "}\n",
    declaration("ServerInput", "The settings of the server.", SERVER_KEYS, {
      declared,
    }),
    "/** A service of any kind that a file can hold. */",
    "export type ServiceInput =",
    Object.keys(KIND_KEYS).map((kind) => `  | ${typeName(kind)}`).join("\n") +
    ";\n",
    declaration("CommonInput", "The keys of every service.", COMMON_KEYS, {
      declared,
    }),
    ...kinds,
    declaration(
      "HandlerInput",
      "A service that is a function.",
      HANDLER_KEYS,
      { base: "CommonInput", declared },
    ),
  ].join("\n");
  return [["src/table/input.ts", text]];
}

/** What a program may write besides what a file may hold. */
const BESIDES: Readonly<Record<string, string>> = {
  duration: ", or a number of milliseconds",
  address: ", or an `Endpoint`",
  "address, or list of addresses": ", each as text or as an `Endpoint`",
};

function typeName(key: string): string {
  return `${key[0]!.toUpperCase()}${key.slice(1)}Input`;
}

/**
 * An interface, and those of the tables in it.
 *
 * @param declared the names of those that there are already
 */
function declaration(
  name: string,
  description: string,
  keys: readonly Key[],
  { base, declared }: { base?: string; declared: Set<string> },
): string {
  const members = keys.map((key) =>
    comment(documentation(key), "  ") +
    `  ${key.name}${key.required ? "" : "?"}: ${typeOf(key.node, key.name)};\n`
  );
  const inner = keys.flatMap(({ name, node }) => {
    const table = tableIn(node);
    if (table === undefined) return [];
    const inside = typeName(table.typeName ?? name);
    if (declared.has(inside)) return [];
    declared.add(inside);
    return "\n" +
      declaration(inside, table.description!, keysOf(table), { declared });
  });
  const heading = base === undefined ? name : `${name} extends ${base}`;
  return `${comment([description], "")}export interface ${heading} {\n` +
    `${members.join("")}}\n${inner.join("")}`;
}

function typeOf(node: Node, key: string): string {
  // What a program may write besides: src/table/written.ts.
  if (node.value === "duration") return "Duration";
  if (node.value === "address") return "string | Endpoint";
  if (key === "tcpmux") return "string | RemoteService";
  if (node.properties !== undefined) return typeName(node.typeName ?? key);
  if (node.const !== undefined) return literal(node.const);
  if (node.enum !== undefined) return node.enum.map(literal).join(" | ");
  if (node.anyOf !== undefined) {
    return unionOf(node.anyOf.map((option) => typeOf(option, key)));
  }
  switch (node.type) {
    case "array": {
      const item = typeOf(node.items!, key);
      return item.includes("|") ? `(${item})[]` : `${item}[]`;
    }
    case "object":
      return `Record<string, ${
        typeOf(node.additionalProperties as Node, key)
      }>`;
    case "integer":
      return "number";
    case undefined:
      return "Handler";
    default:
      return node.type;
  }
}

/** Without the literals that another member of the union includes. */
function unionOf(types: readonly string[]): string {
  const isText = (type: string) => type.startsWith('"');
  return [...new Set(types)]
    .filter((type) => !(isText(type) && types.includes("string")))
    .join(" | ");
}

function documentation({ node }: Key): string[] {
  const { description, form, value, otherwise } = node;
  const paragraphs = [description!];
  if (value !== "function" && value !== "table") {
    const besides = BESIDES[value ?? ""] ?? "";
    paragraphs.push(`Value: ${form ?? value}${besides}.`);
  }
  if (otherwise !== undefined) paragraphs.push(`Default: ${otherwise}.`);
  else if (node.default !== undefined && node.properties === undefined) {
    paragraphs.push(`@default ${literal(node.default)}`);
  }
  return paragraphs;
}

function comment(paragraphs: readonly string[], indent: string): string {
  const [first, ...more] = paragraphs;
  const short = `${indent}/** ${first} */`;
  if (more.length === 0 && short.length <= 80) return `${short}\n`;
  const lines = paragraphs.map((paragraph) =>
    wrapped(paragraph, 77 - indent.length)
      .map((line) => `${indent} * ${line}\n`).join("")
  );
  return `${indent}/**\n${lines.join(`${indent} *\n`)}${indent} */\n`;
}

/** Lines of at most so many characters; code in backticks stays in one line. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.match(/(?:`[^`]*`|[^ `])+/g) ?? []) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= width) {
      lines[lines.length - 1] = longer;
    } else lines.push(word);
  }
  return lines;
}
