// What the terminal shows while it runs.

export const figure = (value) =>
  value >= 1000
    ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(3)));

/**
 * Prints a scenario's summary, under its group's heading. What one costs is the
 * processor time of the peer itself.
 */
export function printer() {
  let group;
  return (scenario, summary) => {
    if (scenario.group !== group) {
      group = scenario.group;
      console.log(`\n${group}`);
    }
    console.log(`  ${scenario.title} (${scenario.id}), ${scenario.unit}`);
    const limit = scenario.beside ?? "C";
    for (const [peer, entry] of Object.entries(summary)) {
      const { median, min, max, ratio, cost } = entry;
      const compared = ratio !== undefined && scenario.better === "more";
      const columns = [
        `    ${peer}`.padEnd(18),
        figure(median).padStart(9),
        `${figure(min)}–${figure(max)}`.padStart(20),
        (compared ? `${ratio.toFixed(2)} of ${limit}` : "").padStart(12),
        cost === undefined ? "" : `${figure(cost)} µs each`.padStart(16),
      ];
      console.log(columns.join(" ").trimEnd());
    }
  };
}
