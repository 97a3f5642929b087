// What all others are held against: no relay at all, and a relay in C.
import { built } from "../build.mjs";
import { freePort, start, untilListening, versionBy } from "../processes.mjs";
import { writeConfig } from "../worlds.mjs";

const compiler = () => `gcc ${versionBy(["gcc", "--version"], /(\S+)\n/)}`;

const direct = {
  id: "direct",
  title: "no relay",
  version: compiler,
  missing: () => undefined,
  start: ({ services }) => ({
    pids: [],
    target: (name) => ["--to", services[name].connect],
    stop() {},
  }),
};

/** The table as relay.c reads it. */
export function linesOf({ services }) {
  return Object.entries(services).map(([name, service]) => {
    const [[kind, value]] = Object.entries(service);
    return `${name} ${kind} ${[value].flat().join(" ")}\n`;
  }).join("");
}

/** Where a relay will listen, and the file of its table. */
export async function relayArguments(world) {
  const address = `127.0.0.1:${await freePort()}`;
  return { address, table: writeConfig(linesOf(world)) };
}

export async function relayCommand(world) {
  const { address, table } = await relayArguments(world);
  const flags = ["--listen", address, "--table", table];
  return { command: [built("relay"), ...flags], address };
}

const limit = {
  id: "c",
  title: "C relay (the limit)",
  version: compiler,
  missing: () => undefined,
  async start(world) {
    const { command, address } = await relayCommand(world);
    const program = start(command);
    await untilListening(address, program);
    return {
      pids: [program.pid],
      target: (service) => ["--to", address, "--service", service],
      stop: program.stop,
    };
  },
};

export const peers = [direct, limit];
