// Which cores processes may use.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { findProgram, treeOf } from "./processes.mjs";

const taskset = findProgram("taskset");
const all = /^Cpus_allowed_list:\s*(\S+)/m
  .exec(readFileSync("/proc/self/status", "utf8"))?.[1];
const [first] = all?.split(/[-,]/) ?? [];

/** What has to stand before a command for it to run on the one core. */
export const onFirstCore = taskset ? [taskset, "-c", first] : [];

function allow(cores, pids) {
  for (const pid of pids.flatMap(treeOf)) {
    // One that ends meanwhile makes it fail, which does no harm.
    spawnSync(taskset, ["-a", "-c", "-p", cores, String(pid)]);
  }
}

/** Keeps these processes on one core while `use` runs. */
export async function withOneCore(pids, use) {
  if (taskset === undefined) return await use();
  allow(first, pids);
  try {
    return await use();
  } finally {
    allow(all, pids);
  }
}
