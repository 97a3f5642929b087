// Measures scenarios: in each round every peer in turn, each round beginning
// with another one, so that what drifts meets all alike.
import { onFirstCore, withOneCore } from "./affinity.mjs";
import { measureClient } from "./client.mjs";
import { presentOf, turnsOf } from "./earlier.mjs";
import { measureIdle, measureSecure, measureWorked } from "./idle.mjs";
import { load } from "./measure.mjs";
import { pairsOf } from "./pairs.mjs";
import { processorTime } from "./processes.mjs";
import { measureReload } from "./reload.mjs";
import { measureStartup } from "./startup.mjs";
import { summarize } from "./stats.mjs";
import { ROOT } from "../scripts/runtimes.mjs";

/** Each of these is a figure of its own. */
const ALONE = new Set([undefined, "worked", "tls-idle", "reload", "client"]);

/** These take long and vary little. */
const FEW_ROUNDS = { idle: 2, worked: 3, "tls-idle": 3, startup: 5, reload: 3 };

/** Modes in which most is in small steps, and seconds until they are warm. */
const WARM = new Set(["handshake", "rtt", "tls-handshake"]);
const WARM_UP = 1.5;

/**
 * What has just been started, or has never done this, is not compiled yet: in
 * the first round there is a longer load before what is measured.
 */
function settingsIn(round, { mode }, settings) {
  return round === 0 && WARM.has(mode)
    ? { ...settings, warmup: WARM_UP }
    : settings;
}

export class Rounds {
  failures = [];
  /** What peers of others failed at once, and then did. */
  hiccups = [];
  /** Of each scenario, the present sources beside the earlier ones. */
  pairs = {};

  /** @param given `earlier` is what checkOut gives, or undefined */
  constructor(given) {
    const { servers, worlds, backend, idleCount, settings, say } = given;
    const { peers, earlier } = given;
    Object.assign(this, { servers, worlds, backend, idleCount, settings, say });
    Object.assign(this, { peers, earlier });
  }

  /** Measures these scenarios; gives their summaries by id. */
  async measure(scenarios) {
    const summaries = {};
    const done = new Set();
    for (const scenario of scenarios) {
      if (done.has(scenario.id)) continue;
      // Several figures may come from one run: they are measured together.
      const together = ALONE.has(scenario.run)
        ? [scenario]
        : scenarios.filter(({ run }) => run === scenario.run);
      const measured = await this.#measureTogether(together);
      for (const each of together) {
        const { runs, costs } = measured[each.id];
        done.add(each.id);
        const spent = each.costless ? {} : costs;
        summaries[each.id] = summarize(runs, spent, each.beside);
        if (this.earlier) this.pairs[each.id] = pairsOf(each, runs, costs);
        this.say(each, summaries[each.id]);
      }
    }
    await this.servers.keepOnly("none");
    return summaries;
  }

  async #measureTogether(scenarios) {
    const [first] = scenarios;
    const peers = [...new Set(scenarios.flatMap(({ peers }) => peers))];
    const emptyOf = ({ peers }) =>
      Object.fromEntries(peers.map((peer) => [peer, []]));
    const measured = Object.fromEntries(
      scenarios.map((each) => [
        each.id,
        { runs: emptyOf(each), costs: emptyOf(each) },
      ]),
    );
    const { repeat } = this.settings;
    const rounds = Math.min(repeat, FEW_ROUNDS[first.run] ?? repeat);
    await this.servers.keepOnly(first.run ? "none" : first.world);
    for (let round = 0; round < rounds; round++) {
      for (const peer of turnsOf(peers, round)) {
        const wanted = scenarios.filter((each) => each.peers.includes(peer));
        const settings = settingsIn(round, first, this.settings);
        const { figures = {}, cost } = await this.#attempt(
          first,
          peer,
          wanted,
          settings,
        );
        for (const { id } of wanted) {
          measured[id].runs[peer][round] = figures[id];
          measured[id].costs[peer][round] = cost;
        }
      }
    }
    return measured;
  }

  async #attempt(scenario, peer, wanted, settings) {
    const known = this.peers.find(({ id }) => id === peer);
    // What is not ours may need to be started again; what is ours must not.
    const attempts = known?.foreign ? 2 : 1;
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#figures(scenario, peer, wanted, settings);
      } catch (error) {
        if (known) await this.servers.forget(known, scenario.world);
        const text = `${scenario.id}, ${peer}: ${error.message}`;
        if (attempt < attempts) {
          console.error(`AGAIN ${text}`);
          this.hiccups.push(text);
          continue;
        }
        console.error(`FAILED ${text}`);
        this.failures.push(text);
        return {};
      }
    }
  }

  /** { figures, cost }: by scenario, and the processor time of one. */
  async #figures(scenario, id, wanted, settings) {
    if (scenario.run === undefined) {
      return await this.#load(scenario, id, settings);
    }
    return { figures: await this.#run(scenario, id, wanted, settings) };
  }

  async #run(scenario, id, wanted, settings) {
    const { worlds } = this;
    const peer = this.peers.find((each) => each.id === id);
    const present = presentOf(id);
    const folder = present === id ? ROOT : this.earlier.folder;
    const single = (value) => ({ [scenario.id]: value });
    switch (scenario.run) {
      case "idle":
        return await measureIdle(peer, worlds.idle, {
          many: this.idleCount,
          wanted: wanted.map((each) => each.id),
          settings,
        });
      case "worked":
        return single(await measureWorked(peer, worlds.idle, settings));
      case "tls-idle":
        return single(await measureSecure(peer, worlds.tls));
      case "startup":
        return await measureStartup(present, worlds.main, folder);
      case "client": {
        const { mode } = scenario;
        return single(await measureClient(present, mode, worlds.main, folder));
      }
      case "reload": {
        const form = `${present}-source`;
        const world = worlds[scenario.world];
        return single(await measureReload(form, world, folder));
      }
    }
  }

  async #load(scenario, id, settings) {
    const peer = this.peers.find((each) => each.id === id);
    const server = await this.servers.get(peer, scenario.world);
    const target = server.target(scenario.service);
    const { mode, flags } = scenario;
    const time = processorTime(server.pids);
    const { rate, total } = scenario.oneCore
      ? await withOneCore(
        [...server.pids, this.backend],
        () => load(mode, target, flags, settings, onFirstCore),
      )
      : await load(mode, target, flags, settings);
    const { scale = 1 } = scenario;
    const figures = { [scenario.id]: rate * scale };
    if (server.pids.length === 0) return { figures };
    const spent = processorTime(server.pids) - time;
    return { figures, cost: spent * 1e6 / (total * scale) };
  }
}
