/** An app that uses the library stays itself when it is made one file. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { after, describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import { systemNode } from "../scripts/runtimes.mjs";
import { runCommand } from "./support/command.ts";
import { needs } from "./support/needs.ts";
import { ROOT } from "./support/server.ts";

const bin = (name: string) => join(ROOT, "node_modules", ".bin", name);
const folder = mkdtempSync(join(tmpdir(), "tcpmux-bundled-"));
after(() => rmSync(folder, { recursive: true, force: true }));

writeFileSync(
  join(folder, "app.ts"),
  `import { serve } from ${JSON.stringify(join(ROOT, "mod.ts"))};
  const server = await serve({
    server: { listen: "127.0.0.1:0" },
    services: { hello: { text: "hello" } },
  });
  console.log("app", process.argv.slice(2).join(), server.addresses.length);
  await server.close();`,
);

const BUNDLERS: Record<string, (to: string) => string[]> = {
  esbuild: (to) => [
    bin("esbuild"),
    "--bundle",
    "--format=esm",
    "--platform=node",
    "--target=node20",
    `--outfile=${to}`,
  ],
  "bun build": (to) => [
    bin("bun"),
    "build",
    "--target=node",
    `--outfile=${to}`,
  ],
  "deno bundle": (to) => [
    bin("deno"),
    "bundle",
    "--quiet",
    "--no-lock",
    `--config=${join(ROOT, "deno.json")}`,
    `--output=${to}`,
  ],
};

/** The words before the file's name, on this runtime. */
const HERE = "Deno" in globalThis
  ? [process.execPath, "run", "-A", "--no-lock", "--no-config"]
  : [process.execPath];

describe("an app made one file by", needs(bin("esbuild")), () => {
  for (const [name, words] of Object.entries(BUNDLERS)) {
    test(name, async () => {
      const file = join(folder, `${name.replace(" ", "_")}.mjs`);
      const importing = join(folder, "importing.mjs");
      writeFileSync(importing, `await import(process.argv[2]);`);
      const built = await runCommand([...words(file), join(folder, "app.ts")]);
      assertEquals(built.code, 0, built.err);
      for (const runtime of [HERE, [systemNode()]]) {
        // An argument that our command line would take for its own.
        for (const words of [[file, "--version"], [importing, file]]) {
          const app = await runCommand([...runtime, ...words], { cwd: folder });
          const out = `app ${words[1]} 1\n`;
          assertEquals(app, { code: 0, out, err: "" });
        }
      }
    });
  }
});
