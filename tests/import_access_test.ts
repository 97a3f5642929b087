/** Rules of addresses say the same of every address once they are lists. */
import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import {
  both,
  denyFirst,
  firstMatch,
  listsOf,
  type Network,
  networksOf,
} from "../src/cli/import/access.ts";
import { Access, readPrefixes } from "../src/policy/access.ts";
import { freshSeed, Random } from "./support/random.ts";

const SEED = freshSeed();

function access(rules: Parameters<typeof listsOf>[0]): Access | undefined {
  const lists = listsOf(rules);
  if (lists === undefined) return undefined;
  const read = (list: readonly string[] = []) =>
    list.flatMap((text) => {
      const prefixes = readPrefixes(text);
      if (typeof prefixes === "string") throw new Error(text);
      return prefixes;
    });
  return new Access(read(lists.allow), read(lists.deny));
}

/** Few bits, so that networks lie in one another. */
function someNetworks(random: Random, most: number): readonly Network[] {
  return Array.from({ length: random.below(most + 1) }, () => {
    const length = random.pick([0, 8, 9, 16, 17, 24, 32]);
    const part = () => random.pick([0, 1, 128, 129]);
    return random.oneIn(4)
      ? networksOf(`2001:${part()}:${part()}::/${random.pick([0, 16, 32, 48])}`)
      : networksOf(`10.${part()}.${part()}.${part()}/${length}`);
  }).flat();
}

function someAddress(random: Random): string {
  const part = () => random.pick([0, 1, 128, 129]);
  return random.oneIn(4)
    ? `2001:${part()}:${part()}::1`
    : `${random.pick([10, 11])}.${part()}.${part()}.${part()}`;
}

function isIn(list: readonly Network[], address: string): boolean {
  const [network] = networksOf(address);
  return list.some((outer) => outer.holds(network!));
}

describe(`lists of the table admit whom the rules do, with the seed ${SEED}`, () => {
  test("of xinetd, of hosts.allow, and of both", () => {
    const random = new Random(SEED);
    for (let round = 0; round < 300; round++) {
      const only = random.oneIn(3) ? undefined : someNetworks(random, 4);
      const not = someNetworks(random, 4);
      const wrapped = someNetworks(random, 6)
        .map((network) => ({ network, admits: random.oneIn(2) }));
      const otherwise = random.oneIn(2);
      const lists = access(
        both(denyFirst(only, not), firstMatch(wrapped, otherwise)),
      );
      for (let i = 0; i < 20; i++) {
        const address = someAddress(random);
        const first = wrapped.find(({ network }) => isIn([network], address));
        const isAdmitted = !isIn(not, address) &&
          (only === undefined || isIn(only, address)) &&
          (first?.admits ?? otherwise);
        const found = lists !== undefined &&
          lists.keepsOut(address) === undefined;
        const rules = JSON.stringify([only, not, wrapped].map(String));
        assertEquals(found, isAdmitted, `${address}: ${rules}`);
      }
    }
  });
});
