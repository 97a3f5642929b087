// What is measured a second time where nothing paces, since pacing holds back
// most what moves the most bytes: which scenarios these are, and their run in
// a network of its own.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { presentOf } from "./earlier.mjs";
import { runInside, whyNone } from "./namespace.mjs";
import { FOLDER } from "./processes.mjs";

// socat and proxyd would only take time; inetutils inetd may have to be
// downloaded, for which that network has no way out.
const LEFT_OUT = ["socat", "proxyd", "inetd"];

const UNPACED = ", unpaced";

/** Those of these scenarios that pacing affects, as scenarios of their own. */
export const unpacedOf = (scenarios) =>
  scenarios.filter(({ unit }) => unit === "MB/s").map((each) => ({
    ...each,
    id: `unpaced-${each.id}`,
    group: `${each.group}${UNPACED}`,
    peers: each.peers.filter((id) => !LEFT_OUT.includes(id)),
    short: false,
    unpaced: true,
  }));

export const isUnpaced = (group) => group.endsWith(UNPACED);

/**
 * Measures them. Gives summaries, failures and hiccups as Rounds has them, and
 * of the network { congestion, repeat }, or { missing } and why.
 */
export async function measureUnpaced(scenarios, options) {
  const missing = whyNone();
  if (missing !== undefined) {
    console.log(`\nnothing unpaced: ${missing}`);
    return without(missing, []);
  }
  console.log("\nOnce more where nothing paces, in a network of its own");
  const {
    peers = peersOf(scenarios, options),
    seconds,
    beside,
    steadyRepeat: repeat,
  } = options;
  const file = join(FOLDER, "unpaced.json");
  const args = [
    `--only=${scenarios.map(({ id }) => id).join(",")}`,
    `--seconds=${seconds}`,
    `--repeat=${repeat}`,
    `--json=${file}`,
  ];
  if (beside) args.push(`--beside=${beside}`);
  if (peers) args.push(`--peers=${peers.join(",")}`);
  const code = await runInside(args);
  // Measurements that failed are in there; without it, all did.
  if (!existsSync(file)) {
    return without("it failed", [`all that is unpaced: it ended with ${code}`]);
  }
  const results = JSON.parse(readFileSync(file, "utf8"));
  const { congestion } = results.machine;
  return { ...results, network: { congestion, repeat } };
}

/** With an earlier revision in a part of a run, others have to be named. */
function peersOf(scenarios, { beside, only }) {
  if (!beside || only) return undefined;
  return [...new Set(scenarios.flatMap((each) => each.peers.map(presentOf)))];
}

const without = (missing, failures) => (
  { scenarios: {}, failures, hiccups: [], network: { missing } }
);
