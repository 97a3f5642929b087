// Whether a ratio to the C relay has fallen, against those that are recorded.

const ALLOWED = 0.7;
const ATTEMPTS = 2;

/** { scenario, peer, was, is } of each ratio that is too low. */
export function fallen(recorded, summaries) {
  return Object.entries(recorded).flatMap(([scenario, peers]) =>
    Object.entries(peers).flatMap(([peer, was]) => {
      const is = summaries[scenario]?.[peer]?.ratio;
      return is !== undefined && is < was * ALLOWED
        ? [{ scenario, peer, was, is }]
        : [];
    })
  );
}

/**
 * Measures again what has fallen, as the machine may have been at something
 * else; gives how many have fallen each time.
 */
export async function checkAgainst(recorded, summaries, scenarios, rounds) {
  if (recorded === undefined) {
    throw new Error("bench/results.json records nothing of the short form");
  }
  let low = fallen(recorded, summaries);
  for (let i = 0; i < ATTEMPTS && low.length > 0; i++) {
    const names = new Set(low.map(({ scenario }) => scenario));
    console.log(`\nlow, so measured again: ${[...names].join(", ")}`);
    const again = await rounds.measure(
      scenarios.filter(({ id }) => names.has(id)),
    );
    // Each has to be low every time to count.
    const before = low;
    low = fallen(recorded, again).filter(({ scenario, peer }) =>
      before.some((each) => each.scenario === scenario && each.peer === peer)
    );
  }
  for (const { scenario, peer, was, is } of low) {
    console.error(
      `FALLEN ${scenario}, ${peer}: ${is.toFixed(2)} of the C relay, ` +
        `and ${was.toFixed(2)} is recorded`,
    );
  }
  if (low.length === 0) console.log("\nno ratio has fallen by more than 30 %");
  return low.length;
}
