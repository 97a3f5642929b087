// The files that a run leaves.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { deno, run } from "../scripts/runtimes.mjs";
import { plotOf } from "./plot.mjs";
import { reportOf } from "./report.mjs";
import { SHORT_PEERS } from "./peers/index.mjs";
import { SCENARIOS } from "./scenarios.mjs";

const fileOf = (name) => new URL(name, import.meta.url);
const RESULTS = fileOf("results.json");

export function readResults() {
  try {
    return JSON.parse(readFileSync(RESULTS, "utf8"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    throw new Error("there is no bench/results.json: run it once in full");
  }
}

/** The ratios to the C relay that --check holds a later run against. */
export function shortRatios(summaries) {
  const ratios = {};
  for (const { id, short } of SCENARIOS) {
    if (!short || summaries[id] === undefined) continue;
    ratios[id] = Object.fromEntries(
      SHORT_PEERS.filter((peer) => peer !== "c" && summaries[id][peer]?.ratio)
        .map((peer) => [peer, summaries[id][peer].ratio]),
    );
  }
  return ratios;
}

/** Keeps the short form's ratios: these are measured elsewhere. */
export function writeResults(results) {
  const short = existsSync(RESULTS) ? readResults().short : undefined;
  save({ ...results, short });
  writeFileSync(fileOf("RESULTS.md"), reportOf(results));
  writeFileSync(fileOf("results.svg"), plotOf(results));
  format(["RESULTS.md", "results.json", "results.svg"]);
  console.log("\nwritten: bench/RESULTS.md, results.svg and results.json");
}

/** Renews the short form's ratios only. */
export function writeShort({ scenarios }) {
  save({ ...readResults(), short: shortRatios(scenarios) });
  format(["results.json"]);
  console.log("\nwritten: the short form's ratios in bench/results.json");
}

/** As `npm run check` wants all files. */
function format(names) {
  const files = names.map((name) => fileURLToPath(fileOf(name)));
  if (run(deno, ["fmt", "--quiet", ...files]) !== 0) {
    throw new Error("deno fmt failed");
  }
}

export function save(results, file = RESULTS) {
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
}
