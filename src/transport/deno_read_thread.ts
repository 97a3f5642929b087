/**
 * Standard input of Deno, read by a thread of its own. `Deno.stdin.read` hands
 * every read to a thread and waits until it is back, for the 64 KiB that a
 * pipe holds at the most. This thread reads on by itself, round and round in
 * memory that is shared, while what it read before is being sent.
 */
const SIZE = 256 * 1024; // a power of two, for the counts to go over
/** What is lent at a time, so that there is room to read while it is. */
const MOST = SIZE / 2;

/** What is counted in the shared memory, modulo 2³². */
const RETURNED = 0; // bytes that may be read over
const FILLED = 1; // bytes that were read
const NEWS = 2; // how often something was told
const STATE = 3;

const ENDED = 1;
const FAILED = 2;

interface Shared {
  readonly counts: Int32Array<SharedArrayBuffer>;
  readonly bytes: Uint8Array<SharedArrayBuffer>;
}

/** The members of Deno and of a worker that the thread needs, and no more. */
declare const Deno: { stdin: { readSync(into: Uint8Array): number | null } };
declare let onmessage: (event: { data: Shared }) => void;

/**
 * Runs in the thread, from its text alone, as there is no file to load it
 * from in a bundle: it can use nothing that stands around it.
 */
function inThread(): void {
  const [RETURNED, FILLED, NEWS, STATE] = [0, 1, 2, 3] as const;
  const [ENDED, FAILED] = [1, 2] as const;
  onmessage = ({ data: { counts, bytes } }) => {
    for (let filled = 0;;) {
      let returned = Atomics.load(counts, RETURNED);
      while (((filled - returned) | 0) === bytes.length) {
        Atomics.wait(counts, RETURNED, returned);
        returned = Atomics.load(counts, RETURNED);
      }
      const from = filled & (bytes.length - 1);
      const room = bytes.length - ((filled - returned) | 0);
      let count: number | null = null;
      try {
        count = Deno.stdin.readSync(bytes.subarray(from, from + room));
        if (count === null) Atomics.store(counts, STATE, ENDED);
      } catch {
        Atomics.store(counts, STATE, FAILED);
      }
      filled = (filled + (count ?? 0)) | 0;
      Atomics.store(counts, FILLED, filled);
      Atomics.add(counts, NEWS, 1);
      Atomics.notify(counts, NEWS);
      if (count === null) return;
    }
  };
}

export class ReadThread {
  #shared: Shared = {
    counts: new Int32Array(new SharedArrayBuffer(16)),
    bytes: new Uint8Array(new SharedArrayBuffer(SIZE)),
  };
  #worker: Worker;
  /** Where what was lent last begins and ends. */
  #begin = 0;
  #end = 0;

  constructor() {
    const text = new Blob([`(${inThread})()`], { type: "text/javascript" });
    const url = URL.createObjectURL(text);
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.onerror = (event) => {
      event.preventDefault(); // it would end the program
      const { counts } = this.#shared;
      Atomics.store(counts, STATE, FAILED);
      Atomics.add(counts, NEWS, 1);
      Atomics.notify(counts, NEWS);
    };
    this.#worker.postMessage(this.#shared);
  }

  /**
   * The next bytes, which stay as they are until the next read but one; null
   * at the end; undefined where the thread cannot read, and nothing is lost.
   */
  async read(): Promise<Uint8Array | null | undefined> {
    const { counts, bytes } = this.#shared;
    Atomics.store(counts, RETURNED, this.#begin);
    Atomics.notify(counts, RETURNED);
    for (;;) {
      const news = Atomics.load(counts, NEWS);
      const state = Atomics.load(counts, STATE);
      const count = (Atomics.load(counts, FILLED) - this.#end) | 0;
      if (count > 0) {
        const from = this.#end & (SIZE - 1);
        const lent = bytes.subarray(from, from + Math.min(count, MOST));
        this.#begin = this.#end;
        this.#end = (this.#end + lent.length) | 0;
        return lent;
      }
      if (state === ENDED) return null;
      if (state === FAILED) return undefined;
      await Atomics.waitAsync(counts, NEWS, news).value;
    }
  }

  stop(): void {
    this.#worker.terminate();
  }
}
