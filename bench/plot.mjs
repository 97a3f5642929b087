// results.svg: bars beside each other, one panel for each kind of figure.
import { titleOf } from "./peers/index.mjs";
import { figure } from "./print.mjs";
import { SCENARIOS } from "./scenarios.mjs";

const COLOURS = {
  bun: "#d9822b",
  deno: "#3b6fb6",
  node: "#4a9e5c",
  haproxy: "#8a8f98",
  nginx: "#b9bec7",
};
const PEERS = Object.keys(COLOURS);

const WIDTH = 960;
const LABELS = 250;
const VALUES = 60;
const BAR = 9;
const ROW_GAP = 10;
const PLOT = WIDTH - LABELS - VALUES - 20;

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const at = (value) => Number(value.toFixed(1));

function text(x, y, content, attributes = "") {
  return `<text x="${at(x)}" y="${at(y)}" ${attributes}>${
    escape(content)
  }</text>`;
}

/**
 * A panel: a row for each scenario, with { value, low, high, label } of each
 * peer. Bars end at `max`; a line marks `mark`.
 */
function panel(top, { title, rows, max, mark }) {
  const lines = [text(20, top + 14, title, 'class="title"')];
  const scale = (value) => LABELS + Math.min(value, max) / max * PLOT;
  let y = top + 30;
  const first = y;
  for (const { label, bars } of rows) {
    const height = bars.length * BAR;
    lines.push(
      text(LABELS - 8, y + height / 2 + 4, label, 'text-anchor="end"'),
    );
    for (const { peer, value, low, high, shown } of bars) {
      const end = scale(value);
      lines.push(
        `<rect x="${LABELS}" y="${at(y)}" width="${at(end - LABELS)}" height="${
          BAR - 1
        }" fill="${COLOURS[peer]}"/>`,
      );
      if (low !== undefined) {
        const middle = at(y + (BAR - 1) / 2);
        lines.push(
          `<line x1="${at(scale(low))}" x2="${
            at(scale(high))
          }" y1="${middle}" y2="${middle}" class="spread"/>`,
        );
      }
      const beside = Math.max(end, scale(high ?? value));
      lines.push(text(beside + 4, y + BAR - 1, shown, 'class="value"'));
      y += BAR;
    }
    y += ROW_GAP;
  }
  if (mark !== undefined) {
    const x = at(scale(mark));
    lines.push(
      `<line x1="${x}" x2="${x}" y1="${first - 4}" y2="${
        y - ROW_GAP + 4
      }" class="mark"/>`,
      text(x, first - 8, "the limit", 'text-anchor="middle" class="value"'),
    );
  }
  return { lines, bottom: y + 16 };
}

function ratioRows(scenarios, group) {
  return rowsOf(scenarios, (each) => each.group === group, (summary) => ({
    value: summary.ratio,
    low: summary.ratioMin,
    high: summary.ratioMax,
    shown: summary.ratio?.toFixed(2),
  }));
}

function rowsOf(scenarios, chosen, barOf) {
  return SCENARIOS.filter((each) => chosen(each) && scenarios[each.id])
    .map(({ id, title }) => ({
      label: title,
      bars: PEERS.filter((peer) => scenarios[id][peer])
        .map((peer) => ({ peer, ...barOf(scenarios[id][peer]) }))
        .filter(({ value }) => value !== undefined),
    }))
    .filter(({ bars }) => bars.length > 0);
}

const RATIOS = [
  "Handshakes",
  "Round trips of 64 bytes",
  "Bytes through a relay",
  "Programs",
];

/** Start times of the forms, each in the colour of its runtime. */
function startRows(scenarios) {
  return Object.entries(scenarios["start-time"] ?? {})
    .filter(([form]) => form !== "c")
    .map(([form, { median, min, max }]) => ({
      label: form.replace("-", ", "),
      bars: [{
        peer: form.split("-")[0],
        value: median,
        low: min,
        high: max,
        shown: figure(median),
      }],
    }));
}

export function plotOf({ scenarios }) {
  const absolute = ({ median, min, max }) => (
    { value: median, low: min, high: max, shown: figure(median) }
  );
  const panels = [
    ...RATIOS.map((group) => ({
      title: `${group}: ratio to the C relay, more is better`,
      rows: ratioRows(scenarios, group),
      max: 1.5,
      mark: 1,
    })),
    {
      title: "Memory of an idle connection, KiB, less is better",
      rows: rowsOf(scenarios, ({ unit }) => unit === "KiB", absolute),
    },
    {
      title: "Start to the first answer, ms, less is better",
      rows: startRows(scenarios),
    },
  ].filter(({ rows }) => rows.length > 0);
  const lines = [];
  let top = 50;
  for (const each of panels) {
    const highest = Math.max(
      ...each.rows.flatMap(({ bars }) => bars.map(({ high }) => high ?? 0)),
    );
    const drawn = panel(top, { max: highest, ...each });
    lines.push(...drawn.lines);
    top = drawn.bottom;
  }
  const legend = PEERS.map((peer, i) => {
    const x = LABELS + i * 135;
    return `<rect x="${x}" y="20" width="12" height="12" fill="${
      COLOURS[peer]
    }"/>${text(x + 18, 30, titleOf(peer))}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}">
<style>
  text { font: 12px sans-serif; fill: #222; }
  .title { font-weight: bold; font-size: 13px; }
  .value { font-size: 9px; fill: #555; }
  .spread { stroke: #222; stroke-width: 1; opacity: 0.6; }
  .mark { stroke: #b3261e; stroke-dasharray: 4 3; }
</style>
<rect width="100%" height="100%" fill="#fff"/>
${[...legend, ...lines].join("\n")}
</svg>
`;
}
