// Builds the C programs, and those forms of tcpmux that have to be built.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../scripts/runtimes.mjs";
import { FOLDER } from "./processes.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));

/** A program: its sources, and what else gcc has to be told. */
const PROGRAMS = {
  load: [
    [
      ...["load", "load_handshake", "load_stream", "load_idle", "load_start"],
      ...["load_tls", "net"],
    ],
    ["-pthread", "-lssl", "-lcrypto", "-lm"],
  ],
  backend: [["backend", "net"], []],
  // Static: the fewer pages it has, the less a fork costs.
  relay: [["relay", "relay_table", "net"], ["-static"]],
  // Static: a dynamic one would measure the dynamic linker.
  program: [["program", "net"], ["-static"]],
};

/** Where a C program of the benchmark is, once it is built. */
export const built = (name) => join(FOLDER, name);

export function buildC() {
  for (const [name, [sources, more]] of Object.entries(PROGRAMS)) {
    const files = sources.map((source) => join(HERE, `${source}.c`));
    const flags = ["-O2", "-Wall", "-Wextra", "-o", built(name)];
    must("gcc", [...flags, ...files, ...more]);
  }
}

export const BUNDLE = join(ROOT, "dist", "tcpmux.mjs");
export const BINARY = join(ROOT, "dist", "tcpmux");

export function buildTcpmux() {
  must(process.execPath, ["scripts/build.mjs", "bundle", "bun"]);
}

function must(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: ROOT,
    encoding: "utf8",
  });
  if (error) throw new Error(`cannot run ${command}: ${error.message}`);
  if (status !== 0) {
    throw new Error(`failed: ${command} ${args.join(" ")}\n${stdout}${stderr}`);
  }
}
