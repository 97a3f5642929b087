/** Writes all generated files anew: npm run generate */
import { writeFileSync } from "node:fs";
import { commandManual } from "./generate/command_manual.ts";
import { commandReference } from "./generate/command_reference.ts";
import { fileUrl, type Generated } from "./generate/files.ts";
import { inputTypes } from "./generate/input_types.ts";
import { jsonSchema } from "./generate/json_schema.ts";
import { tableManual } from "./generate/table_manual.ts";
import { tableReference } from "./generate/table_reference.ts";
import { thirdParty } from "./generate/third_party.ts";

/** Each gives the whole text of its files, and writes nothing. */
export const GENERATORS: readonly (() => Generated[])[] = [
  jsonSchema,
  inputTypes,
  tableReference,
  tableManual,
  commandReference,
  commandManual,
  thirdParty,
];

if (import.meta.main) {
  for (const generate of GENERATORS) {
    for (const [file, text] of generate()) writeFileSync(fileUrl(file), text);
  }
}
