/** One soak, of the program that TCPMUX_TEST_PROGRAM names; see run.mjs. */
import { parseArgs } from "node:util";
import { freshSeed } from "../tests/support/random.ts";
import { soak } from "./soak.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(freshSeed()) },
    clients: { type: "string", default: "24" },
    slack: { type: "string", default: "96" },
  },
});
const report = await soak({
  seconds: Number(values.minutes) * 60,
  seed: Number(values.seed),
  clients: Number(values.clients),
  slack: Number(values.slack),
  say: (text) => console.error(text),
});
console.log(JSON.stringify(report));
process.exit(report.faults.length === 0 ? 0 : 1);
