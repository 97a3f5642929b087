import {
  type Generated,
  MARKDOWN_MARKERS,
  markdownTable,
  withParts,
} from "./files.ts";
import {
  COMMON_KEYS,
  defaultOf,
  FILE_KEYS,
  HOST_KEYS,
  type Key,
  keysWithin,
  KIND_KEYS,
  SERVER_KEYS,
} from "./keys.ts";

/** The tables of keys in docs/table.md. */
export function tableReference(): Generated[] {
  const kinds = Object.values(KIND_KEYS).flat().filter((key) => key.required);
  const optional = (keys: readonly Key[]) =>
    keys.filter((key) => !key.required);
  const parts = {
    "file keys": keyTable(FILE_KEYS),
    "server keys": keyTable(SERVER_KEYS),
    "log keys": keyTable(keysWithin(SERVER_KEYS, "log")),
    "tls keys": keyTable(keysWithin(SERVER_KEYS, "tls")),
    "penalty keys": keyTable(keysWithin(SERVER_KEYS, "penalties")),
    "service kinds": kindTable(kinds),
    "service keys": keyTable(COMMON_KEYS),
    "exec keys": keyTable(optional(KIND_KEYS.exec)),
    "rlimits keys": keyTable(keysWithin(KIND_KEYS.exec, "rlimits")),
    "connect keys": keyTable(optional(KIND_KEYS.connect)),
    "upstream tls keys": keyTable(keysWithin(KIND_KEYS.connect, "tls")),
    "builtin keys": keyTable(optional(KIND_KEYS.builtin)),
  };
  const hosts = { "host keys": keyTable(HOST_KEYS) };
  return [
    withParts("docs/table.md", MARKDOWN_MARKERS, parts),
    withParts("docs/trust.md", MARKDOWN_MARKERS, hosts),
  ];
}

function keyTable(keys: readonly Key[]): string {
  return markdownTable(
    ["key", "value", "default", "meaning"],
    keys.map((key) => [
      `\`${key.name}\``,
      key.node.value!,
      defaultOf(key),
      key.node.description!,
    ]),
  );
}

function kindTable(keys: readonly Key[]): string {
  return markdownTable(
    ["key", "value", "what a client gets"],
    keys.map(({ name, node }) => [
      `\`${name}\``,
      node.value!,
      node.description!,
    ]),
  );
}
