/** A map that forgets what was used longest ago when it is full. */
export class BoundedMap<V> {
  #most: number;
  #entries = new Map<string, V>();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.#most) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    this.#entries.set(key, value);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** Forgets the oldest for as long as they may be forgotten. */
  prune(isOver: (value: V) => boolean): void {
    for (const [key, value] of this.#entries) {
      if (!isOver(value)) return;
      this.#entries.delete(key);
    }
  }
}
