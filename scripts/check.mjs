// Formatter, linter, and the types for all three runtimes: npm run check
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { deno, install, ROOT, run } from "./runtimes.mjs";

install();
const sources = [
  "mod.ts",
  "cli.ts",
  "server.ts",
  "fuzz/main.ts",
  "soak/main.ts",
];
const tests = readdirSync(join(ROOT, "tests"))
  .filter((name) => name.endsWith("_test.ts"))
  .map((name) => `tests/${name}`);
const examples = ["examples/chat/chat.ts", "examples/hono/app.ts"];
const checks = [
  [deno, ["fmt", "--check"]],
  [deno, ["lint"]],
  // tsc sees what Node and Bun see; deno check what Deno sees.
  [join(ROOT, "node_modules/.bin/tsc"), ["-p", "."]],
  [deno, ["check", "--quiet", "--no-lock", ...sources, ...examples, ...tests]],
];
let failed = 0;
for (const [command, args] of checks) {
  console.log(`> ${command.split("/").at(-1)} ${args.slice(0, 3).join(" ")}`);
  if (run(command, args) !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
