import { describe, test } from "node:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { LinkedList, ListNode } from "../src/linked_list.ts";

class Numbered extends ListNode {
  readonly number: number;
  constructor(number: number) {
    super();
    this.number = number;
  }
}

describe("a chain", () => {
  test("is as a set that is asked in the order of what came", () => {
    const steps = fc.array(fc.record({
      number: fc.nat(9),
      add: fc.boolean(),
    }));
    fc.assert(fc.property(steps, (steps) => {
      const chain = new LinkedList<Numbered>();
      const set = new Set<Numbered>();
      const links = Array.from({ length: 10 }, (_, i) => new Numbered(i));
      for (const { number, add } of steps) {
        const link = links[number]!;
        if (!add) assertEquals(chain.remove(link), set.delete(link));
        else if (!set.has(link)) {
          chain.add(link);
          set.add(link);
        }
        assertEquals(chain.all(), [...set]);
        assertEquals(chain.size, set.size);
        assertEquals(chain.first, [...set][0]);
      }
    }));
  });

  test("lets go of what has left it: it points to nothing in it", () => {
    const chain = new LinkedList<Numbered>();
    const links = [1, 2, 3].map((number) => new Numbered(number));
    for (const link of links) chain.add(link);
    chain.remove(links[1]!);
    assertEquals([links[1]!.before, links[1]!.behind], [undefined, undefined]);
    assertEquals(chain.all(), [links[0]!, links[2]!]);
  });
});
