import { fileSchema } from "../../src/table/schema.ts";
import type { Generated } from "./files.ts";
import { nodeOf } from "./keys.ts";

/** The schema by which editors complete and check a service table. */
export function jsonSchema(): Generated[] {
  const schema = {
    ...nodeOf(fileSchema, {
      overrideAction({ valibotAction: { type }, jsonSchema }) {
        if (type !== "metadata") return;
        for (const key of ["value", "form", "otherwise", "typeName"]) {
          delete jsonSchema[key as keyof typeof jsonSchema];
        }
      },
    }),
    title: "tcpmux service table",
  };
  return [["services.schema.json", `${JSON.stringify(schema, null, 2)}\n`]];
}
