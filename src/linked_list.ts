/** The base of what a {@linkcode LinkedList} holds; in one list at a time. */
export class ListNode {
  before: ListNode | undefined;
  behind: ListNode | undefined;
  isListed = false;
}

/**
 * Objects that come and go by the thousand, in the order in which they came.
 * A `Set` would do the same, but an entry that was deleted from it still points
 * to the entry behind it. Such an entry, once old, keeps all younger ones from
 * being collected early, and that costs more than the rest of a connection.
 */
export class LinkedList<T extends ListNode> {
  #first: ListNode | undefined;
  #last: ListNode | undefined;
  /** Changed by `add` and `remove` only. */
  size = 0;

  get first(): T | undefined {
    return this.#first as T | undefined;
  }

  /** @param node in no list yet */
  add(node: T): void {
    const last = this.#last;
    this.#last = node;
    if (last === undefined) this.#first = node;
    else last.behind = node;
    node.before = last;
    node.isListed = true;
    this.size++;
  }

  /** @returns whether it was in a list, which can only be this one */
  remove(node: ListNode): boolean {
    if (!node.isListed) return false;
    const { before, behind } = node;
    node.before = node.behind = undefined;
    node.isListed = false;
    if (before === undefined) this.#first = behind;
    else before.behind = behind;
    if (behind === undefined) this.#last = before;
    else behind.before = before;
    this.size--;
    return true;
  }

  /** The nodes that are in the list now, the oldest first. */
  all(): T[] {
    const nodes: T[] = [];
    for (let node = this.#first; node !== undefined; node = node.behind) {
      nodes.push(node as T);
    }
    return nodes;
  }
}
