/** The middle one; of an even number the mean of the middle two. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Four digits that count: more would say what is not known. */
export const round = (value) => Number(value.toPrecision(4));

const withRatio = (ratios) => ({
  ratio: round(median(ratios)),
  ratioMin: round(Math.min(...ratios)),
  ratioMax: round(Math.max(...ratios)),
});

/**
 * Sums up a scenario's runs, { peer: [figure or undefined of each round] }, and
 * its costs, { peer: [microseconds of processor for each, or undefined] }. A
 * ratio is the median of the ratios within each round, in which the machine was
 * in the same mood for all.
 *
 * @param beside the peer that the ratios are to
 */
export function summarize(runs, costs, beside = "c") {
  const summary = {};
  for (const [peer, figures] of Object.entries(runs)) {
    const known = figures.filter((figure) => figure !== undefined);
    if (known.length === 0) continue;
    const spent = (costs[peer] ?? []).filter((cost) => cost !== undefined);
    const ratios = figures
      .map((figure, round) => figure / runs[beside]?.[round])
      .filter((ratio) => Number.isFinite(ratio));
    summary[peer] = {
      median: round(median(known)),
      min: round(Math.min(...known)),
      max: round(Math.max(...known)),
      runs: known.length,
      ...spent.length > 0 ? { cost: round(median(spent)) } : {},
      ...ratios.length > 0 ? withRatio(ratios) : {},
    };
  }
  return summary;
}
