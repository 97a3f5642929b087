import { readFileSync } from "node:fs";
import { test } from "node:test";
import { assertEquals } from "@std/assert";
import { jsonSchema } from "../src/table/schema.ts";

test("services.schema.json is what the definition gives (npm run schema)", () => {
  const file = new URL("../services.schema.json", import.meta.url);
  assertEquals(JSON.parse(readFileSync(file, "utf8")), jsonSchema());
});
