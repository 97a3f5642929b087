// The benchmark: npm run bench [-- --help]
import { checkAgainst } from "./check.mjs";
import { buildC, buildTcpmux } from "./build.mjs";
import { HELP, readOptions, UsageError } from "./options.mjs";
import { PEERS } from "./peers/index.mjs";
import { stopAll } from "./processes.mjs";
import { inNamespace } from "./namespace.mjs";
import { planOf } from "./plan.mjs";
import { printer } from "./print.mjs";
import { readResults, writeResults, writeShort } from "./results.mjs";
import { Rounds } from "./rounds.mjs";
import { Servers } from "./servers.mjs";
import { install } from "../scripts/runtimes.mjs";
import { startBackends, worldsOf } from "./worlds.mjs";
import { idleRoom, machine } from "./machine.mjs";

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const elsewhere = await inNamespace();
  if (elsewhere !== undefined) return elsewhere;
  const began = Date.now();
  install();
  buildC();
  const { scenarios, skipped, needsBuilt } = planOf(options, buildTcpmux);
  for (const [id, why] of Object.entries(skipped)) {
    console.log(`without ${id}: ${why}`);
  }
  if (needsBuilt) console.log("built: the bundle and the Bun binary");
  const idleCount = idleRoom();
  const backends = await startBackends();
  const worlds = worldsOf(backends.addresses, idleCount + 100);
  const settings = { repeat: options.repeat, seconds: options.seconds };
  const rounds = new Rounds({
    servers: new Servers(worlds),
    worlds,
    backend: backends.pid,
    idleCount,
    settings,
    say: printer(),
  });
  const summaries = await rounds.measure(scenarios);
  const { failures } = rounds;
  let code = failures.length === 0 ? 0 : 1;
  if (options.check) {
    const recorded = readResults().short;
    if (await checkAgainst(recorded, summaries, scenarios, rounds) > 0) {
      code = 1;
    }
  }
  const results = {
    machine: machine(),
    versions: versionsOf(scenarios),
    settings: { ...settings, idleCount },
    skipped,
    failures,
    hiccups: rounds.hiccups,
    scenarios: summaries,
  };
  if (options.record) writeShort(results);
  if (options.write) writeResults(results);
  const seconds = Math.round((Date.now() - began) / 1000);
  console.log(`${seconds} s, ${failures.length} failed`);
  for (const failure of failures) console.error(`FAILED ${failure}`);
  return code;
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
