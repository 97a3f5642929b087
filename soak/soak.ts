/** A server under mixed load for a time, with all that may go wrong watched. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../tests/support/daemon.ts";
import { Random } from "../tests/support/random.ts";
import { type RunningServer, withServer } from "../tests/support/server.ts";
import { sleep } from "../tests/support/wait.ts";
import { breakOff, chargen, noWord, tooSlow } from "./breaks.ts";
import {
  answer,
  discard,
  type Exchange,
  help,
  roundTrip,
  upload,
} from "./exchanges.ts";
import { reloading } from "./reloads.ts";
import { leak, type Sample, sample, settled } from "./sample.ts";
import { COMMON, type Ports, tableOf } from "./table.ts";
import { Upstreams } from "./upstreams.ts";
import { Watch } from "./watch.ts";
import { World } from "./world.ts";

export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Clients at a time. */
  readonly clients: number;
  /** MiB that the server may grow from the end of the warm-up to the end. */
  readonly slack: number;
  /** Told what has been found, as it comes. */
  readonly say: (text: string) => void;
}

export interface SoakReport {
  readonly seed: number;
  readonly seconds: number;
  readonly counts: World["counts"];
  readonly records: number;
  readonly compared: number;
  readonly outcomes: Record<string, number>;
  readonly reloads: number;
  readonly refusedReloads: number;
  /** At the start, after the warm-up, in the middle and at the end. */
  readonly samples: readonly Sample[];
  readonly faults: readonly string[];
}

/** How often each comes. */
const MIX: readonly Exchange[] = [
  ...Array(10).fill(roundTrip),
  ...Array(3).fill(upload),
  ...Array(4).fill(answer),
  ...Array(4).fill(breakOff),
  ...[discard, help, chargen, noWord, noWord],
];
/** What takes long is rare. */
const SLOW_ONE_IN = 400;

/** An exchange that takes longer hangs. */
const HANGS_MS = 120_000;
const MOST_FAULTS = 20;

/** When load pauses for a sample, as parts of the whole time. */
const PAUSES = [0.15, 0.5, 1];

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const upstreams = new Upstreams();
  const upstream = await upstreams.listen();
  const nobody = await freePort();
  const world = new World((fault) => new Watch(fault));
  const samples: Sample[] = [];
  try {
    await withServer(COMMON, async (second) => {
      const ports = { ...upstream, mux: second.port, nobody };
      await withServer(
        tableOf(world.generation, ports),
        async (server, folder) => {
          world.port = server.port;
          const file = join(folder, "services.toml");
          const write = (text: string) => writeFileSync(file, text);
          await run(world, server, { ports, write, samples }, options);
        },
      );
      world.watch.take([], second.other);
    });
  } finally {
    upstreams.close();
  }
  const { watch, counts, faults } = world;
  const { outcomes, records, compared, reloads, refusedReloads } = watch;
  const { seed, seconds } = options;
  return {
    ...{ seed, seconds, counts, records, compared, outcomes, reloads },
    ...{ refusedReloads, samples, faults },
  };
}

interface Setting {
  readonly ports: Ports;
  readonly write: (table: string) => void;
  readonly samples: Sample[];
}

async function run(
  world: World,
  server: RunningServer,
  { ports, write, samples }: Setting,
  options: SoakOptions,
): Promise<void> {
  const { seconds, seed, clients, say } = options;
  let ended = false;
  server.exited.then(({ code, signal }) => {
    if (!ended) world.fault(`the server ended: exit ${code ?? signal}`);
  });
  const over = () => world.faults.length >= MOST_FAULTS;
  // The log is read as it comes, so that it does not grow here.
  const reading = setInterval(() => {
    const known = world.faults.length;
    world.watch.take(server.log.splice(0), server.other.splice(0));
    for (const fault of world.faults.slice(known)) say(fault);
  }, 100);
  samples.push(sample(server.pid, 0));
  let begun = 0;
  for (const pause of PAUSES) {
    const end = Date.now() + (pause * seconds - begun) * 1000;
    begun = pause * seconds;
    const until = () => Date.now() < end && !over();
    await Promise.all([
      ...Array.from({ length: clients }, (_, index) => {
        const random = new Random(seed + index + pause * 1e6);
        return client(world, random, until, say);
      }),
      reloading(world, server, { ports, write, until, every: seconds / 100 }),
    ]);
    const left = await settled(server.pid, samples[1]?.descriptors);
    if (left !== undefined) world.fault(left);
    await sleep(Math.min(3000, seconds * 50)); // for what is freed later
    samples.push(sample(server.pid, pause * seconds));
    if (over()) break;
  }
  await sleep(300); // for the last lines of the log
  clearInterval(reading);
  world.watch.take(server.log.splice(0), server.other.splice(0));
  if (world.watch.unrecorded > 0) {
    world.fault(`${world.watch.unrecorded} connections have no record`);
  }
  for (const what of leak(samples[1]!, samples.at(-1)!, options.slack)) {
    world.fault(what);
  }
  ended = true;
}

/** One exchange after the other. */
async function client(
  world: World,
  random: Random,
  until: () => boolean,
  say: (text: string) => void,
): Promise<void> {
  while (until()) {
    const exchange = random.oneIn(SLOW_ONE_IN) ? tooSlow : random.pick(MIX);
    let timer;
    const hangs = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("it hangs")), HANGS_MS);
    });
    try {
      await Promise.race([exchange(world, random), hangs]);
      world.counts.exchanges++;
    } catch (error) {
      const said = error instanceof Error ? error.stack : String(error);
      say(`${exchange.name}: ${said}`);
      world.fault(`${exchange.name}: ${said}`);
    } finally {
      clearTimeout(timer);
    }
    if (random.oneIn(4)) await sleep(random.below(100));
  }
}
