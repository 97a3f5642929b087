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

describe("a linked list", () => {
  test("is as a set that is asked in the order of what came", () => {
    const steps = fc.array(fc.record({
      number: fc.nat(9),
      add: fc.boolean(),
    }));
    fc.assert(fc.property(steps, (steps) => {
      const list = new LinkedList<Numbered>();
      const set = new Set<Numbered>();
      const nodes = Array.from({ length: 10 }, (_, i) => new Numbered(i));
      for (const { number, add } of steps) {
        const node = nodes[number]!;
        if (!add) assertEquals(list.remove(node), set.delete(node));
        else if (!set.has(node)) {
          list.add(node);
          set.add(node);
        }
        assertEquals(list.all(), [...set]);
        assertEquals(list.size, set.size);
        assertEquals(list.first, [...set][0]);
      }
    }));
  });

  test("lets go of what has left it: it points to nothing in it", () => {
    const list = new LinkedList<Numbered>();
    const nodes = [1, 2, 3].map((number) => new Numbered(number));
    for (const node of nodes) list.add(node);
    list.remove(nodes[1]!);
    assertEquals([nodes[1]!.before, nodes[1]!.behind], [undefined, undefined]);
    assertEquals(list.all(), [nodes[0]!, nodes[2]!]);
  });
});
