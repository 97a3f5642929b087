// Which scenarios of whom are measured this time, and who is left out and why.
import { isPaired, withEarlier } from "./earlier.mjs";
import { UsageError } from "./options.mjs";
import { PEERS, SHORT_PEERS } from "./peers/index.mjs";
import { SCENARIOS } from "./scenarios.mjs";

const KNOWN = new Set([
  ...PEERS.map(({ id }) => id),
  ...SCENARIOS.flatMap(({ peers }) => peers),
]);

const needsBuild = (id) => id === "bun-binary" || id.endsWith("-bundle");

/**
 * `earlier` is what checkOut gives, or undefined. `build` makes the bundle and
 * the binary; it is called if they are needed.
 */
export function planOf(options, earlier, build) {
  const { short, only, peers } = options;
  // Some scenarios beside an earlier revision: for the ratios to that one.
  const pairsOnly = earlier !== undefined && (short || only) && !peers;
  let scenarios = SCENARIOS;
  if (only) {
    scenarios = scenarios.filter(({ id }) =>
      only.some((word) => id.startsWith(word))
    );
    if (scenarios.length === 0) {
      const ids = SCENARIOS.map(({ id }) => id).join(" ");
      throw new UsageError(`--only names none of: ${ids}`);
    }
  } else if (short) {
    scenarios = scenarios.filter(({ short, paired }) =>
      short || paired && earlier
    );
  }
  const wanted = pairsOnly
    ? [...KNOWN].filter(isPaired)
    : peers ?? (short ? SHORT_PEERS : [...KNOWN]);
  const unknown = wanted.find((id) => !KNOWN.has(id));
  if (unknown !== undefined) {
    throw new UsageError(`there is no peer ${unknown}, but ${[...KNOWN]}`);
  }
  // All other ratios are to the C relay, or to what stands for it there.
  const taken = new Set([...pairsOnly ? [] : ["c"], ...wanted]);
  scenarios = withPeers(
    scenarios,
    (id, { beside }) => taken.has(id) || !pairsOnly && id === beside,
  );
  const needsBuilt = scenarios.some(({ peers }) => peers.some(needsBuild));
  if (needsBuilt) build();
  const skipped = {};
  for (const peer of PEERS) {
    if (!scenarios.some(({ peers }) => peers.includes(peer.id))) continue;
    const why = peer.missing();
    if (why !== undefined) skipped[peer.id] = why;
  }
  scenarios = withPeers(scenarios, (id) => !Object.hasOwn(skipped, id));
  if (earlier) scenarios = withEarlier(scenarios, earlier);
  return { scenarios, skipped, needsBuilt };
}

function withPeers(scenarios, keep) {
  return scenarios
    .map((scenario) => ({
      ...scenario,
      peers: scenario.peers.filter((id) => keep(id, scenario)),
    }))
    .filter(({ peers }) => peers.length > 0);
}
