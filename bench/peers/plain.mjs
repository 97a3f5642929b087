// The least that a server can do on each runtime: what the runtime allows.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bun, deno, node } from "../../scripts/runtimes.mjs";
import { start, untilListening, versionBy } from "../processes.mjs";
import { relayArguments } from "./limit.mjs";

const node26 = node(26) ?? process.execPath;
const script = (name) =>
  fileURLToPath(new URL(`../plain/${name}.mjs`, import.meta.url));

function plain(id, title, command, version) {
  return {
    id,
    title,
    foreign: true,
    version,
    missing: () => existsSync(command[0]) ? undefined : "it is not installed",
    async start(world) {
      const { address, table } = await relayArguments(world);
      const stdio = world.handsSocket ? "socket" : "pipe";
      const program = start([...command, address, table, stdio]);
      await untilListening(address, program);
      return {
        pids: [program.pid],
        target: (service) => ["--to", address, "--service", service],
        stop: program.stop,
      };
    },
  };
}

export const peers = [
  plain(
    "plain-bun",
    "plain Bun.listen",
    [bun, "run", script("bun")],
    () => `Bun ${versionBy([bun, "--version"], /(\S+)/)}`,
  ),
  plain(
    "plain-deno",
    "plain Deno.listen",
    [deno, "run", "-A", "--no-lock", script("deno")],
    () => `Deno ${versionBy([deno, "--version"], /deno (\S+)/)}`,
  ),
  plain(
    "plain-node",
    "plain node:net",
    [node26, script("node")],
    () => `Node ${versionBy([node26, "--version"], /v(\S+)/)}`,
  ),
];
