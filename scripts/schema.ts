/** Writes services.schema.json anew; a test tells when that is due. */
import { writeFileSync } from "node:fs";
import { jsonSchema } from "../src/table/schema.ts";

const file = new URL("../services.schema.json", import.meta.url);
writeFileSync(file, `${JSON.stringify(jsonSchema(), null, 2)}\n`);
