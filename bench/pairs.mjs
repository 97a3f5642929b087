// The present sources beside those of an earlier revision: ratios in each
// round, present / earlier, of what one thing takes. Less is better in all.
import { isEarlier, presentOf } from "./earlier.mjs";
import { table } from "./markdown.mjs";
import { figure } from "./print.mjs";
import { SCENARIOS } from "./scenarios.mjs";
import { median, round } from "./stats.mjs";

/** Next to nothing, and counted in steps of 10 ms. */
const LEFT_OUT = new Set(["idle-cpu"]);

const NAMES = { bun: "Bun", deno: "Deno", node: "Node" };
const runtimeOf = (peer) => peer.split("-")[0];

/**
 * What is compared in a scenario: processor time where it is known, else what
 * was measured; of a rate, the time that one takes.
 */
function takesOf({ unit, better }, figures, costs) {
  const each = unit === "MB/s" ? "µs/MB" : "µs";
  if (costs.some((cost) => cost !== undefined)) {
    return { what: `processor time, ${each}`, values: costs };
  }
  if (better === "less") return { what: unit, values: figures };
  const values = figures.map((rate) => rate && 1e6 / rate);
  return { what: `time, ${each}`, values };
}

/** { peer: { what, ratio, min, max, rounds, present, earlier } } of a scenario. */
export function pairsOf(scenario, runs, costs) {
  if (LEFT_OUT.has(scenario.id)) return {};
  const takes = (peer) => takesOf(scenario, runs[peer], costs[peer]);
  return Object.fromEntries(
    Object.keys(runs).filter(isEarlier).flatMap((id) => {
      const peer = presentOf(id);
      const { what, values } = takes(peer);
      const earlier = takes(id).values;
      const ratios = values.map((value, i) => value / earlier[i])
        .filter((ratio) => Number.isFinite(ratio));
      if (ratios.length === 0) return [];
      return [[peer, {
        what,
        ratio: round(median(ratios)),
        min: round(Math.min(...ratios)),
        max: round(Math.max(...ratios)),
        rounds: ratios.length,
        present: middleOf(values),
        earlier: middleOf(earlier),
      }]];
    }),
  );
}

const middleOf = (values) =>
  round(median(values.filter((value) => value !== undefined)));

/** Rows of { scenario, what, cells: { runtime: pair } }, as SCENARIOS has them. */
function rowsOf(pairs) {
  return SCENARIOS.flatMap((scenario) => {
    const found = Object.entries(pairs[scenario.id] ?? {});
    if (found.length === 0) return [];
    const cells = Object.fromEntries(
      found.map(([peer, pair]) => [runtimeOf(peer), pair]),
    );
    return [{ scenario, what: found[0][1].what, cells }];
  });
}

const shown = ({ min, max, present, earlier }) => [
  `${min.toFixed(2)}–${max.toFixed(2)}`,
  `${figure(present)} / ${figure(earlier)}`,
];

/** For the terminal: a line for each scenario and runtime. */
export function printPairs({ revision, pairs }) {
  console.log(`\nPresent / ${revision}, medians of the ratios in each round`);
  for (const { scenario, what, cells } of rowsOf(pairs)) {
    const { id, group } = scenario;
    console.log(`  ${id}: ${group}, ${scenario.title} (${what})`);
    for (const [runtime, pair] of Object.entries(cells)) {
      const [range, both] = shown(pair);
      const columns = [
        `    ${NAMES[runtime]}`.padEnd(10),
        pair.ratio.toFixed(2).padStart(6),
        range.padStart(13),
        both.padStart(20),
      ];
      console.log(columns.join(" "));
    }
  }
}

/** For RESULTS.md. */
export function pairsReport({ revision, pairs }) {
  const rows = rowsOf(pairs).map(({ scenario, what, cells }) => [
    `${scenario.group}: ${scenario.title}, ${what}<br>\`${scenario.id}\``,
    ...Object.keys(NAMES).map((runtime) => {
      const pair = cells[runtime];
      if (pair === undefined) return "";
      return [`**${pair.ratio.toFixed(2)}**`, ...shown(pair)].join("<br>");
    }),
  ]);
  return `## Beside ${revision}

What one takes now, as a ratio to what it took at ${revision}: processor time of
the server and of all that it starts, where there is a server under load, and
else memory, or the time it takes. The two of a runtime are measured one right
after the other, in turns the one and the other first. In bold the median of the
ratios in each round, below it the lowest and the highest, and the medians of
both. Less is better.

${table(["", ...Object.values(NAMES)], rows)}
`;
}
