// What the kernel remembers of earlier connections to an address (tcp_metrics)
// is where the next ones begin: one that went badly would slow down those of
// every peer that comes after it.
import { spawnSync } from "node:child_process";

/** Makes it forget, where that is permitted. */
export function forgetConnections() {
  spawnSync("ip", ["tcp_metrics", "flush", "all"], { stdio: "ignore" });
}
