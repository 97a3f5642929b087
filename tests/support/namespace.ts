import { spawnSync } from "node:child_process";
import { skip } from "./needs.ts";

/** The words that start a program in a network with few ports for clients. */
export function inSmallNetwork(ports: string): string[] {
  const enter = `ip link set lo up &&
    echo "${ports}" > /proc/sys/net/ipv4/ip_local_port_range && exec "$@"`;
  return ["unshare", "--net", "--", "sh", "-c", enter, "sh"];
}

/** The options of a test that takes a network of its own. */
export function needsNamespace(): { skip?: string } {
  const [unshare, ...words] = inSmallNetwork("40000 40003");
  const { status } = spawnSync(unshare!, [...words, "true"]);
  return status === 0
    ? {}
    : skip("a network of its own takes root, unshare(1) and ip(8)");
}
