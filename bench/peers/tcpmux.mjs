// tcpmux itself, in the forms in which it can be run.
import { existsSync } from "node:fs";
import { bun, deno, node, ROOT } from "../../scripts/runtimes.mjs";
import { BINARY, BUNDLE } from "../build.mjs";
import { freePort, start, untilListening, versionBy } from "../processes.mjs";
import { writeConfig } from "../worlds.mjs";

const node26 = node(26) ?? process.execPath;

/** How each form is started; what follows is its command line. */
export const FORMS = {
  "bun-source": [bun, "run", "server.ts"],
  "deno-source": [deno, "run", "-A", "--no-lock", "server.ts"],
  "node-source": [node26, "server.ts"],
  "bun-bundle": [bun, "run", BUNDLE],
  "deno-bundle": [deno, "run", "-A", "--no-lock", BUNDLE],
  "node-bundle": [node26, BUNDLE],
  "bun-binary": [BINARY],
};

/** A table in TOML. */
export function tableOf(world, address) {
  const lines = [
    "[server]",
    `listen = "${world.tls ? "tls://" : ""}${address}"`,
    `max_connections = ${world.maxConnections}`,
    // All the load comes from one address, and up to 256 at once.
    "max_connections_per_source = 0",
    "max_handshakes = 512",
  ];
  if (world.tls) {
    const { cert, key } = world.tls;
    lines.push("", "[server.tls]", `cert = "${cert}"`, `key = "${key}"`);
  }
  for (const [name, service] of Object.entries(world.services)) {
    lines.push("", `[services.${name}]`);
    for (const [key, value] of Object.entries(service)) {
      lines.push(`${key} = ${JSON.stringify(value)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The command that serves a world with one form, and where it will listen. */
export async function commandOf(form, world) {
  const address = `127.0.0.1:${await freePort()}`;
  const file = writeConfig(tableOf(world, address));
  return { command: [...FORMS[form], "--config", file], address, file };
}

/** @param folder where it is started, and its sources are */
function peer({ id, title, form, version }, folder) {
  return {
    id,
    title,
    version,
    missing: () =>
      existsSync(FORMS[form][0]) ? undefined : "it is not installed",
    async start(world) {
      const { command, address } = await commandOf(form, world);
      const program = start(command, { cwd: folder });
      await untilListening(address, program);
      return {
        pids: [program.pid],
        target: (service) => ["--to", address, "--service", service],
        stop: program.stop,
      };
    },
  };
}

const bunVersion = () => `Bun ${versionBy([bun, "--version"], /(\S+)/)}`;

/** What runs from its sources. */
const SOURCES = [
  { id: "bun", name: "Bun", version: bunVersion },
  {
    id: "deno",
    name: "Deno",
    version: () => `Deno ${versionBy([deno, "--version"], /deno (\S+)/)}`,
  },
  {
    id: "node",
    name: "Node",
    version: () => `Node ${versionBy([node26, "--version"], /v(\S+)/)}`,
  },
];

/** Those peers with the sources that are in a folder. */
export const sourcePeers = (folder, identify) =>
  SOURCES.map(({ id, name, version }) =>
    peer({ ...identify(id, name), form: `${id}-source`, version }, folder)
  );

export const peers = [
  ...sourcePeers(ROOT, (id, name) => ({ id, title: `tcpmux, ${name}` })),
  peer({
    id: "bun-binary",
    title: "tcpmux, Bun binary",
    form: "bun-binary",
    version: bunVersion,
  }, ROOT),
];
