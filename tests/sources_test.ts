/**
 * Each source can be loaded by the runtime as it is: most end-to-end tests on
 * Node start the bundle.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assert } from "@std/assert";
import { pickTransport } from "../src/transport/pick.ts";
import { ROOT } from "./support/server.ts";

const { name } = await pickTransport();
const OTHERS = ["bun", "deno", "node"].filter((other) => other !== name)
  .map((other) => join("transport", other));

const SOURCES = readdirSync(join(ROOT, "src"), {
  recursive: true,
  encoding: "utf8",
}).filter((file) => /(?<!\.d)\.ts$/.test(file))
  .filter((file) => !OTHERS.some((folder) => file.startsWith(`${folder}/`)));

test("each source can be loaded", async () => {
  assert(SOURCES.length > 100);
  for (const file of SOURCES) await import(join(ROOT, "src", file));
});
