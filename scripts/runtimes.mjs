// Where the runtimes are that the tests and builds use: those that npm has
// installed, in the versions that package.json pins.
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MODULES = join(ROOT, "node_modules");

/**
 * Installs what package-lock.json lists, unless it is there. Through a symbolic
 * link nothing is installed: npm would empty the folder that it leads to, which
 * is another clone's.
 */
export function install() {
  if (existsSync(join(MODULES, ".package-lock.json"))) return;
  if (lstatSync(MODULES, { throwIfNoEntry: false })?.isSymbolicLink()) {
    console.log(
      "node_modules is a symbolic link: what is there is used as it is " +
        "(run npm ci where it leads to, or remove the link)",
    );
    return;
  }
  console.log("npm ci (once: it brings Deno, Bun and Node as well)");
  const { status } = spawnSync("npm", ["ci", "--loglevel=error"], {
    cwd: ROOT,
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("npm ci failed");
}

export const deno = join(MODULES, ".bin", "deno");
export const bun = join(MODULES, ".bin", "bun");

/** A Node of that major version; where npm has none, undefined. */
export function node(major) {
  const platform = `${process.platform}-${process.arch}`;
  const path = join(MODULES, `node-${major}-${platform}`, "bin", "node");
  return existsSync(path) ? path : undefined;
}

/** The Node of the machine itself, not one of ours. */
export function systemNode() {
  const own = (process.env.PATH ?? "").split(delimiter)
    .filter((folder) => !folder.startsWith(MODULES))
    .map((folder) => join(folder, "node"))
    .find((file) => existsSync(file));
  return own ?? process.execPath;
}

/** Runs a command; its output goes where ours goes. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: ROOT,
    stdio: "inherit",
    ...options,
  });
  if (result.error) throw result.error;
  return result.status ?? 1;
}

/** Runs a command that has to succeed. */
export function must(command, args) {
  if (run(command, args) !== 0) {
    throw new Error(`failed: ${command} ${args.join(" ")}`);
  }
}
