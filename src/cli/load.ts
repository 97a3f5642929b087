import { parseTable } from "../table/parse.ts";
import { TableError } from "../table/problem.ts";
import type { Table } from "../table/table.ts";
import { EMBEDDED_NAME, embeddedTable } from "./embedded.ts";
import { readTableFile } from "./table_file.ts";

/** A table and the name of the file that it came from. */
export interface Loaded {
  readonly table: Table;
  readonly file: string;
}

/**
 * Reads a table file, or the embedded table where none is named.
 *
 * @throws {TableError} with every problem
 * @throws {TcpmuxError} code `invalid_table` where the file cannot be read
 */
export async function loadTable(file: string | undefined): Promise<Loaded> {
  const name = file ?? EMBEDDED_NAME;
  const text = file === undefined
    ? await embeddedTable()
    : await readTableFile(file);
  const table = parseTable(text, name);
  if (table.services.length === 0) {
    // Most likely a file that was cut short, perhaps while it is being saved.
    const message = "there are none: a table has a [services.NAME] at least";
    throw new TableError([{ file: name, key: "services", message }]);
  }
  return { table, file: name };
}
