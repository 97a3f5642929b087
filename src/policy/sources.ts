import { isIP } from "node:net";
import type { Endpoint } from "../endpoint.ts";

const GROUPS = 8;

/**
 * The source of a connection, which limits count by: its IPv4 address, or its
 * IPv6 network, since a client can usually take any address of its network.
 * All clients of Unix sockets are one source.
 *
 * @param bits the length of an IPv6 network's prefix
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

/** A number for each key. A key whose number is 0 takes no memory. */
export class Counts {
  #counts = new Map<string, number>();

  get size(): number {
    return this.#counts.size;
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  /** @returns the number of this key now */
  add(key: string): number {
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return count;
  }

  remove(key: string): void {
    const count = (this.#counts.get(key) ?? 0) - 1;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }
}
