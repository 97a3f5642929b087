/** What can be in a {@linkcode LinkedList}, in one at a time. */
export class ListNode {
  before: ListNode | undefined;
  behind: ListNode | undefined;
  chained = false;
}

/**
 * What comes and goes by the thousand, in the order in which it came. A `Set`
 * would do the same, but what is deleted from one still points to what came
 * behind it: an old one that is garbage then keeps all that is younger from
 * being collected as such, which costs more than all else of a connection.
 */
export class LinkedList<T extends ListNode> {
  #first: ListNode | undefined;
  #last: ListNode | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get first(): T | undefined {
    return this.#first as T | undefined;
  }

  /** @param link in no chain yet */
  add(link: T): void {
    const last = this.#last;
    this.#last = link;
    if (last === undefined) this.#first = link;
    else last.behind = link;
    link.before = last;
    link.chained = true;
    this.#size++;
  }

  /** @returns whether it was in a chain, which can only be this one */
  remove(link: ListNode): boolean {
    if (!link.chained) return false;
    const { before, behind } = link;
    link.before = link.behind = undefined;
    link.chained = false;
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    this.#size--;
    return true;
  }

  /** All that are in it now, the oldest first. */
  all(): T[] {
    const links: T[] = [];
    for (let link = this.#first; link !== undefined; link = link.behind) {
      links.push(link as T);
    }
    return links;
  }
}
