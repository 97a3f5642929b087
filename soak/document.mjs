// The figures of a soak, as Markdown.
import { machine } from "../bench/machine.mjs";
import { listOf, table } from "../bench/markdown.mjs";

const HEAD = `# Soak

Written by \`npm run soak -- --write\`. A server on each runtime, all at the same
time, and clients that use every kind of service, check each byte by digest in
both directions, break off at random and hit limits, while the table is changed
and read again. What is held is looked at while nobody is connected.
`;

const mega = (bytes) => `${Math.round(bytes / 1e6).toLocaleString("en")} MB`;
const count = (number) => number.toLocaleString("en");
const held = (key, unit = "") => ({ samples }) =>
  samples.map((sample) => Math.round(sample[key])).join(" / ") + unit;

const ROWS = [
  ["minutes", ({ seconds }) => seconds / 60],
  ["seed", ({ seed }) => seed],
  ["connections", ({ counts }) => count(counts.exchanges)],
  [
    "a second",
    ({ counts, seconds }) => count(Math.round(counts.exchanges / seconds)),
  ],
  ["broken off by the client", ({ counts }) => count(counts.aborts)],
  ["told busy", ({ counts }) => count(counts.busy)],
  ["sent and checked", ({ counts }) => mega(counts.bytesSent)],
  ["received and checked", ({ counts }) => mega(counts.bytesReceived)],
  ["records compared byte for byte", ({ compared }) => count(compared)],
  ["reloads", ({ reloads }) => count(reloads)],
  ["wrong tables refused", ({ refusedReloads }) => count(refusedReloads)],
  ["memory, MiB: start / warm / middle / end", held("memory")],
  ["descriptors: the same", held("descriptors")],
  ["programs: the same", held("children")],
  ["faults", ({ faults }) => faults.length],
];

export function document(results) {
  const good = results.filter(({ report }) => report.counts !== undefined);
  const { processor, cores, memory, kernel } = machine();
  const outcomes = good.map(({ title, report }) =>
    `${title}: ` + Object.entries(report.outcomes)
      .sort(([, a], [, b]) => b - a)
      .map(([name, times]) => `${name} ${count(times)}`).join(", ")
  );
  return `${HEAD}
${new Date().toISOString().slice(0, 10)}, ${cores} cores (${processor}),
${memory}, ${kernel}.

${
    table(
      ["", ...good.map(({ title }) => title)],
      ROWS.map(([name, of]) => [name, ...good.map(({ report }) => of(report))]),
    )
  }

"Start" is before the first connection, "warm" after 15 % of the time.

Outcomes in the servers' logs:

${listOf(outcomes)}`;
}
