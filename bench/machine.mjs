// The machine, as far as it explains the figures.
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";

export function machine() {
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    kernel: `Linux ${release()}`,
    congestion: readFileSync(
      "/proc/sys/net/ipv4/tcp_congestion_control",
      "utf8",
    ).trim(),
    openFiles: openFiles(),
  };
}

/** The hard limit: all that is measured raises the soft one to it. */
function openFiles() {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1];
  return hard === undefined ? Infinity : Number(hard);
}

/** 10,000 idle connections, or as many as fit: a relay has two sockets each. */
export function idleRoom() {
  const room = Math.floor((openFiles() - 1000) / 2 / 100) * 100;
  return Math.min(10_000, room);
}
