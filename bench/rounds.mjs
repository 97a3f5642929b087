// Measures scenarios: in each round every peer in turn, each round beginning
// with another one, so that what drifts meets all alike.
import { onFirstCore, withOneCore } from "./affinity.mjs";
import { measureClient } from "./client.mjs";
import { measureIdle } from "./idle.mjs";
import { load } from "./measure.mjs";
import { PEERS } from "./peers/index.mjs";
import { processorTime } from "./processes.mjs";
import { measureReload } from "./reload.mjs";
import { measureStartup } from "./startup.mjs";
import { summarize } from "./stats.mjs";

/** Each of these is a figure of its own. */
const ALONE = new Set([undefined, "reload", "client"]);

/** These take long and vary little. */
const FEW_ROUNDS = { idle: 2, startup: 5, reload: 3 };

/** Modes in which most is in small steps, and seconds until they are warm. */
const WARM = new Set(["handshake", "rtt"]);
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
  #costs = {};

  constructor({ servers, worlds, backend, idleCount, settings, say }) {
    Object.assign(this, { servers, worlds, backend, idleCount, settings, say });
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
      const runs = await this.#measureTogether(together);
      for (const each of together) {
        done.add(each.id);
        summaries[each.id] = summarize(runs[each.id], this.#costs[each.id]);
        this.say(each, summaries[each.id]);
      }
    }
    await this.servers.keepOnly("none");
    return summaries;
  }

  async #measureTogether(scenarios) {
    const [first] = scenarios;
    const peers = [...new Set(scenarios.flatMap(({ peers }) => peers))];
    const runs = Object.fromEntries(
      scenarios.map(({ id, peers }) => [
        id,
        Object.fromEntries(peers.map((peer) => [peer, []])),
      ]),
    );
    const { repeat } = this.settings;
    const rounds = Math.min(repeat, FEW_ROUNDS[first.run] ?? repeat);
    await this.servers.keepOnly(first.run ? "none" : first.world);
    for (let round = 0; round < rounds; round++) {
      const shift = round % peers.length;
      for (const peer of [...peers.slice(shift), ...peers.slice(0, shift)]) {
        const wanted = scenarios.filter((each) => each.peers.includes(peer));
        const settings = settingsIn(round, first, this.settings);
        const figures = await this.#attempt(first, peer, wanted, settings);
        for (const { id } of wanted) runs[id][peer][round] = figures[id];
      }
    }
    return runs;
  }

  async #attempt(scenario, peer, wanted, settings) {
    const known = PEERS.find(({ id }) => id === peer);
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

  async #figures(scenario, id, wanted, settings) {
    const { worlds } = this;
    const peer = PEERS.find((each) => each.id === id);
    switch (scenario.run) {
      case "idle":
        return await measureIdle(peer, worlds.idle, {
          many: this.idleCount,
          wanted: wanted.map((each) => each.id),
          settings,
        });
      case "startup":
        return await measureStartup(id, worlds.main);
      case "client": {
        const speed = await measureClient(id, scenario.mode, worlds.main);
        return { [scenario.id]: speed };
      }
      case "reload": {
        const form = `${id}-source`;
        const time = await measureReload(form, worlds[scenario.world]);
        return { [scenario.id]: time };
      }
    }
    const server = await this.servers.get(peer, scenario.world);
    const target = server.target(scenario.service);
    const { mode, flags } = scenario;
    const time = processorTime(server.pids);
    const began = performance.now();
    const { rate } = scenario.oneCore
      ? await withOneCore(
        [...server.pids, this.backend],
        () => load(mode, target, flags, settings, onFirstCore),
      )
      : await load(mode, target, flags, settings);
    const figure = rate * (scenario.scale ?? 1);
    const done = figure * (performance.now() - began) / 1000;
    if (server.pids.length > 0 && !scenario.costless) {
      const cost = (processorTime(server.pids) - time) * 1e6 / done;
      ((this.#costs[scenario.id] ??= {})[id] ??= []).push(cost);
    }
    return { [scenario.id]: figure };
  }
}
