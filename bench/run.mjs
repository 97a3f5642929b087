// The benchmark: npm run bench [-- --help]
import { checkAgainst } from "./check.mjs";
import { buildC, buildTcpmux } from "./build.mjs";
import { checkOut } from "./earlier.mjs";
import { HELP, readOptions, UsageError } from "./options.mjs";
import { PEERS } from "./peers/index.mjs";
import { stopAll } from "./processes.mjs";
import { isInside, runInside, whyNone } from "./namespace.mjs";
import { printPairs } from "./pairs.mjs";
import { planOf } from "./plan.mjs";
import { printer } from "./print.mjs";
import { readResults, save, writeResults, writeShort } from "./results.mjs";
import { rerun } from "./rerun.mjs";
import { Rounds } from "./rounds.mjs";
import { Servers } from "./servers.mjs";
import { install } from "../scripts/runtimes.mjs";
import { measureUnpaced } from "./unpaced.mjs";
import { startBackends, worldsOf } from "./worlds.mjs";
import { idleRoom, machine } from "./machine.mjs";

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const began = Date.now();
  install();
  // What is held against earlier runs has to be steady.
  if (options.short && !isInside()) {
    const missing = whyNone();
    if (missing === undefined) return await runInside(process.argv.slice(2));
    console.log(`in the machine's own network: ${missing}`);
  }
  buildC();
  const earlier = options.beside && checkOut(options.beside);
  const plan = planOf(options, earlier, buildTcpmux);
  const { scenarios, skipped, needsBuilt } = plan;
  for (const [id, why] of Object.entries(skipped)) {
    console.log(`without ${id}: ${why}`);
  }
  if (needsBuilt) console.log("built: the bundle and the Bun binary");
  const rounds = await roundsOf(options, earlier);
  const measured = await measureAll(scenarios, rounds, options);
  const { failures } = measured;
  if (earlier) printPairs(measured.beside);
  let code = failures.length === 0 ? 0 : 1;
  if (options.check) {
    const recorded = readResults().short;
    const summaries = measured.scenarios;
    if (await checkAgainst(recorded, summaries, scenarios, rounds) > 0) {
      code = 1;
    }
  }
  const results = {
    machine: machine(),
    versions: versionsOf(scenarios),
    settings: { ...rounds.settings, idleCount: rounds.idleCount },
    skipped,
    ...measured,
  };
  if (options.json) save(results, options.json);
  if (options.record) writeShort(results);
  if (options.write) {
    writeResults(results);
    if (await recordShort(options) !== 0) code = 1;
  }
  const seconds = Math.round((Date.now() - began) / 1000);
  console.log(`${seconds} s, ${failures.length} failed`);
  for (const failure of failures) console.error(`FAILED ${failure}`);
  return code;
}

async function roundsOf({ repeat, seconds }, earlier) {
  const idleCount = idleRoom();
  const backends = await startBackends();
  const worlds = worldsOf(backends.addresses, idleCount + 100);
  return new Rounds({
    servers: new Servers(worlds),
    worlds,
    backend: backends.pid,
    idleCount,
    settings: { repeat, seconds },
    say: printer(),
    peers: [...PEERS, ...earlier?.peers ?? []],
    earlier,
  });
}

/** Measures each in its place; gives the summaries, and what went wrong. */
async function measureAll(scenarios, rounds, options) {
  const elsewhere = isInside() ? [] : scenarios.filter((each) => each.unpaced);
  const here = scenarios.filter((each) => !elsewhere.includes(each));
  const summaries = await rounds.measure(here);
  const { failures, hiccups, pairs } = rounds;
  const beside = rounds.earlier && { revision: rounds.earlier.revision, pairs };
  if (elsewhere.length === 0) {
    return { failures, hiccups, scenarios: summaries, beside };
  }
  const unpaced = await measureUnpaced(elsewhere, options);
  return {
    failures: [...failures, ...unpaced.failures],
    hiccups: [...hiccups, ...unpaced.hiccups],
    unpaced: unpaced.network,
    scenarios: { ...summaries, ...unpaced.scenarios },
    beside: beside && {
      ...beside,
      pairs: { ...pairs, ...unpaced.beside?.pairs },
    },
  };
}

/** Where --check measures it: a later run is to be held against its like. */
async function recordShort({ steadyRepeat, seconds }) {
  console.log("\nThe short form, for --check");
  const settings = [`--repeat=${steadyRepeat}`, `--seconds=${seconds}`];
  return await rerun(["--short", "--record", ...settings]);
}

function versionsOf(scenarios) {
  const measured = new Set(scenarios.flatMap(({ peers }) => peers));
  return Object.fromEntries(
    PEERS.filter(({ id }) => measured.has(id))
      .map((peer) => [peer.id, peer.version()]),
  );
}

let code = 1;
try {
  code = await main();
} catch (error) {
  const usage = error instanceof UsageError;
  console.error(usage ? `${error.message}\n\n${HELP}` : error);
  if (usage) code = 64;
} finally {
  await stopAll();
}
process.exit(code);
