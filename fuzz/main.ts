/** Fuzzes on the runtime that it is started with; see run.mjs. */
import { parseArgs } from "node:util";
import { freshSeed } from "../tests/support/random.ts";
import { fuzz } from "./engine.ts";
import { TARGETS } from "./targets/all.ts";

const { values } = parseArgs({
  options: {
    inputs: { type: "string" },
    seed: { type: "string", default: String(freshSeed()) },
    only: { type: "string" },
    names: { type: "boolean", default: false },
  },
});
const only = values.only?.split(",");
const targets = TARGETS.filter(({ name }) => only?.includes(name) ?? true);
if (values.names) {
  console.log(targets.map(({ name }) => name).join(" "));
  process.exit(0);
}
if (targets.length === 0) {
  const names = TARGETS.map(({ name }) => name).join(", ");
  console.error(`--only: there is no ${values.only}; there are ${names}`);
  process.exit(64);
}
const seed = Number(values.seed);
let failed = 0;
for (const target of targets) {
  const count = Number(values.inputs ?? target.inputs);
  const { inputs, seconds, slowest, found } = await fuzz(target, {
    inputs: count,
    seed,
  });
  console.log(
    `${found === undefined ? "ok  " : "FAIL"} ${target.name}: ` +
      `${inputs.toLocaleString("en")} inputs in ${seconds.toFixed(1)} s, ` +
      `seed ${seed}, slowest ${slowest.ms.toFixed(1)} ms ` +
      `(${slowest.length} characters)`,
  );
  if (found === undefined) continue;
  const { input } = found;
  failed++;
  console.log(found.error);
  console.log("For tests/fuzz/cases.json:");
  const line = JSON.stringify({ target: target.name, input, why: "" });
  console.log(line.replace(/[\x7f-\uffff]/g, escaped));
}
process.exit(failed === 0 ? 0 : 1);

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
