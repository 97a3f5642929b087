import { type Located, locateKeys } from "./locate.ts";
import { Problems, TableError } from "./problem.ts";
import { readToml } from "./toml.ts";

/** A TOML file that could be read, and where to put what is wrong with it. */
export interface Document {
  readonly value: Record<string, unknown>;
  readonly problems: Problems;
  /** Where each key stands. */
  readonly located: Located;
}

/**
 * Reads TOML, and where each key of it stands.
 *
 * @param file the name that errors give it
 * @throws {TableError} for what is no TOML
 */
export function readDocument(text: string, file: string): Document {
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
  return { value: toml.value, problems, located };
}
