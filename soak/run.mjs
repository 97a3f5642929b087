// npm run soak: a server on each runtime under mixed load; see --help.
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as runtimes from "../scripts/runtimes.mjs";
import { document } from "./document.mjs";

const { bun, deno, install, node, ROOT } = runtimes;
const HELP = `npm run soak [-- OPTION…]

Serves on each runtime, at the same time, and has clients (on Node) use all
kinds of services, break off, and check each byte both ways, while the table
changes. Fails on a wrong or lost byte, on what is left open or still running,
on memory that grows, and on an error in the log.

  --minutes=N    10
  --on=LIST      bun,deno,node
  --clients=N    at a time, of each server; 24
  --seed=N       of what the clients do; another one each time
  --write        writes the figures to soak/FIGURES.md
  --help         this
`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    on: { type: "string", default: "bun,deno,node" },
    clients: { type: "string", default: "24" },
    seed: { type: "string" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
install();
const clientNode = node(26) ?? process.execPath;
const source = join(ROOT, "mod.ts");

/** The words that start a server, by the runtime's own file: no shim. */
const programs = {
  bun: () => [asked(bun, "-p", "process.execPath"), "--no-env-file", source],
  deno: () => [
    ...[asked(deno, "eval", "console.log(Deno.execPath())"), "run", "-A"],
    ...["--no-lock", "--no-check", source],
  ],
  node: () => [clientNode, source],
};
const versions = {
  bun: () => `Bun ${asked(bun, "--version")}`,
  deno: () => `Deno ${asked(deno, "eval", "console.log(Deno.version.deno)")}`,
  node: () => `Node ${asked(clientNode, "--version").slice(1)}`,
};

const names = values.on.split(",");
const unknown = names.filter((name) => !(name in programs));
if (unknown.length > 0) {
  console.error(`--on: there is no ${unknown}; there are bun, deno and node`);
  process.exit(64);
}
const results = await Promise.all(names.map(soakOn));
for (const { title, report } of results) {
  const { faults, ...rest } = report;
  console.log(`${title}: ${JSON.stringify(rest)}`);
  for (const fault of faults) console.log(`${title}: FAULT ${fault}`);
}
if (values.write) {
  writeFileSync(join(ROOT, "soak", "FIGURES.md"), document(results));
  runtimes.run(deno, ["fmt", "--quiet", "soak/FIGURES.md"]);
}
const failed = results.filter(({ report }) => report.faults.length > 0);
process.exit(failed.length === 0 ? 0 : 1);

function asked(command, ...args) {
  return spawnSync(command, args, { encoding: "utf8" }).stdout.trim();
}

/** The clients are Node's on each, since Deno's cannot reset a connection. */
async function soakOn(name) {
  const title = versions[name]();
  const args = ["--minutes", values.minutes, "--clients", values.clients];
  if (values.seed !== undefined) args.push("--seed", values.seed);
  const child = spawn(clientNode, ["soak/main.ts", ...args], {
    cwd: ROOT,
    env: {
      ...process.env,
      NO_COLOR: "1",
      TCPMUX_TEST_PROGRAM: JSON.stringify(programs[name]()),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (bytes) => output += bytes);
  child.stderr.on("data", (bytes) => console.error(`${title}: ${bytes}`));
  const code = await new Promise((resolve) => child.once("close", resolve));
  try {
    return { title, report: JSON.parse(output) };
  } catch {
    return { title, report: { faults: [`it ended with ${code}: ${output}`] } };
  }
}
