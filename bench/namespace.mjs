// A network of the benchmark's own: with a loopback that nobody else uses, and
// with the one congestion control that every kernel allows there. BBR guesses
// a rate, and on a loopback it now and then settles on a twentieth of what
// there is.
import { spawn, spawnSync } from "node:child_process";

const INSIDE = "TCPMUX_BENCH_NAMESPACE";

const ENTER = `ip link set lo up &&
  echo reno > /proc/sys/net/ipv4/tcp_congestion_control &&
  exec "$@"`;

/** Whether a network of one's own can be had: that takes root. */
function isPossible() {
  const words = ["--net", "--", "sh", "-c", ENTER, "sh", "true"];
  return spawnSync("unshare", words, { stdio: "ignore" }).status === 0;
}

/**
 * Runs all of this once more within a network of its own.
 *
 * @returns its exit code; undefined where this is it, or none can be had
 */
export async function inNamespace() {
  if (process.env[INSIDE] !== undefined) return undefined;
  if (!isPossible()) {
    console.log("in the machine's own network: only root can have another");
    return undefined;
  }
  const words = [process.execPath, ...process.argv.slice(1)];
  const inside = spawn(
    "unshare",
    ["--net", "--", "sh", "-c", ENTER, "sh", ...words],
    { stdio: "inherit", env: { ...process.env, [INSIDE]: "1" } },
  );
  // The terminal's signals reach it by themselves; it cleans up, and we wait.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => inside.kill("SIGTERM"));
  return await new Promise((resolve, reject) => {
    inside.once("error", reject);
    inside.once("exit", (code) => resolve(code ?? 1));
  });
}
