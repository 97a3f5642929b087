import { isIP } from "node:net";
import type { Endpoint } from "../endpoint.ts";

const GROUPS = 8;

/**
 * Whose connection it is, for limits: an IPv4 address, or the network of an
 * IPv6 one, since who has one address of that has them all. All peers of a
 * Unix socket are one source.
 *
 * @param bits how much of an IPv6 address counts
 */
export function sourceOf(remote: Endpoint, bits: number): string {
  if (remote.transport === "unix") return "unix";
  return isIP(remote.host) === 6 ? network(remote.host, bits) : remote.host;
}

function network(address: string, bits: number): string {
  const groups = groupsOf(address.replace(/%.*/, ""));
  const kept = groups.map((group, index) => {
    const taken = Math.min(Math.max(bits - index * 16, 0), 16);
    return (group & (0xffff << (16 - taken)) & 0xffff).toString(16);
  });
  return `${kept.join(":")}/${bits}`;
}

/** The eight numbers of an IPv6 address (RFC 4291, section 2.2). */
function groupsOf(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const before = numbersOf(head);
  if (tail === undefined) return before;
  const after = numbersOf(tail);
  const missing = GROUPS - before.length - after.length;
  return [...before, ...new Array<number>(missing).fill(0), ...after];
}

/** The last 32 bits may be written as an IPv4 address. */
function numbersOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((part) => {
    if (!part.includes(".")) return [parseInt(part, 16)];
    const [a, b, c, d] = part.split(".").map(Number);
    return [a! << 8 | b!, c! << 8 | d!];
  });
}
