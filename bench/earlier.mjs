// An earlier revision of tcpmux, beside the present one: its sources in a
// folder of their own, run with the dependencies that are installed now.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../scripts/runtimes.mjs";
import { UsageError } from "./options.mjs";
import { sourcePeers } from "./peers/tcpmux.mjs";
import { FOLDER } from "./processes.mjs";

/** Stands between what is measured and the revision: bun@3a2e046. */
const AT = "@";

/** Peers, and at their start forms, that run from the sources. */
const PAIRED = /^(?:bun|deno|node)(?:-source)?$/;

export const isPaired = (id) => PAIRED.test(id);

export const isEarlier = (id) => id.includes(AT);

/** The id of the same with the present sources. */
export const presentOf = (id) => id.split(AT)[0];

/** Checks a revision out; gives { revision, folder, peers, idOf, hasTls }. */
export function checkOut(name) {
  const revision = git([
    "rev-parse",
    "--short=7",
    "--verify",
    `${name}^{commit}`,
  ]);
  if (revision === undefined) {
    throw new UsageError(`--beside names no revision: ${name}`);
  }
  const folder = join(FOLDER, "earlier");
  mkdirSync(folder);
  const { status } = spawnSync(
    "sh",
    ["-c", 'git archive "$1" | tar x -C "$2"', "sh", revision, folder],
    { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] },
  );
  if (status !== 0) throw new Error(`cannot check out ${revision}`);
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const idOf = (id) => `${id}${AT}${revision}`;
  const peers = sourcePeers(
    folder,
    (id, runtime) => ({ id: idOf(id), title: `${runtime}, ${revision}` }),
  );
  const hasTls = existsSync(join(folder, "src", "tls"));
  return { revision, folder, peers, idOf, hasTls };
}

/**
 * The scenarios, with the earlier peer behind each that it stands beside, where
 * that revision can do what is measured.
 */
export const withEarlier = (scenarios, { idOf, hasTls }) =>
  scenarios.map((scenario) => {
    if (scenario.world === "tls" && !hasTls) return scenario;
    const peers = scenario.peers.flatMap((id) =>
      isPaired(id) ? [id, idOf(id)] : [id]
    );
    return { ...scenario, peers };
  });

/**
 * The order in which peers take their turn in a round: each round begins with
 * another one. The two of a pair stay next to each other, and take turns to be
 * the first of them.
 */
export function turnsOf(peers, round) {
  const units = peers.filter((id) => !isEarlier(id)).map((id) =>
    peers.filter((each) => presentOf(each) === id)
  );
  const shift = round % units.length;
  return [...units.slice(shift), ...units.slice(0, shift)]
    .flatMap((unit) => round % 2 === 0 ? unit : unit.toReversed());
}

function git(args) {
  const { status, stdout } = spawnSync("git", args, {
    cwd: ROOT,
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : undefined;
}
