import * as z from "zod";
import { fileSchema } from "../../src/table/schema.ts";
import { withPreset } from "./keys.ts";
import type { Generated } from "./files.ts";

/** The schema by which editors complete and check a service table. */
export function jsonSchema(): Generated[] {
  const schema = {
    ...z.toJSONSchema(fileSchema, {
      io: "input",
      target: "draft-7",
      override({ jsonSchema }) {
        withPreset({ jsonSchema });
        for (const key of ["value", "form", "otherwise", "typeName"]) {
          delete jsonSchema[key];
        }
      },
    }),
    title: "tcpmux service table",
  };
  return [["services.schema.json", `${JSON.stringify(schema, null, 2)}\n`]];
}
