// A network of the benchmark's own: with a loopback that nobody else uses, and
// with the one congestion control that every kernel allows there. Reno does
// not pace. BBR does: it guesses a rate, and on a loopback it now and then
// settles on a twentieth of what there is.
import { spawnSync } from "node:child_process";
import { rerun } from "./rerun.mjs";

const INSIDE = "TCPMUX_BENCH_NAMESPACE";

const ENTER = `ip link set lo up &&
  echo reno > /proc/sys/net/ipv4/tcp_congestion_control &&
  exec "$@"`;
const UNSHARE = ["unshare", "--net", "--", "sh", "-c", ENTER, "sh"];

/** Rounds of what is measured there: without pacing they differ little. */
export const STEADY_ROUNDS = 3;

export const isInside = () => process.env[INSIDE] !== undefined;

/** Why there can be no network of one's own; undefined where there can. */
export function whyNone() {
  const [unshare, ...words] = [...UNSHARE, "true"];
  const { status } = spawnSync(unshare, words, { stdio: "ignore" });
  return status === 0
    ? undefined
    : "a network of its own takes root, unshare(1) and ip(8)";
}

/** Runs the benchmark there with these arguments; gives its exit code. */
export const runInside = (args) => rerun(args, UNSHARE, { [INSIDE]: "1" });
