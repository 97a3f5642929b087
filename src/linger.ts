import { after, type Timeout } from "./timeouts.ts";
import type { Reader } from "./transport/reader.ts";

/** What is read from for nobody. */
interface Lingering {
  readOut(reader: Reader): void;
}

/**
 * Reads on until the peer has ended or enough of it has come.
 *
 * @param time milliseconds after which it is enough anyway
 * @param most bytes that are read at the most, and one piece beyond
 */
export function linger(
  conn: Lingering,
  time: number,
  most: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    new Linger(conn, most, resolve, reject).start(time);
  });
}

class Linger implements Reader {
  #conn: Lingering;
  #left: number;
  #resolve: () => void;
  #reject: (error: unknown) => void;
  #timeout: Timeout | undefined;
  #over = false;

  constructor(
    conn: Lingering,
    most: number,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.#conn = conn;
    this.#left = most;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(time: number): void {
    this.#timeout = after(time, this);
    this.#conn.readOut(this);
  }

  took(bytes: Uint8Array | null): void {
    if (this.#over) return;
    this.#left -= bytes?.length ?? this.#left;
    if (this.#left > 0) return this.#conn.readOut(this);
    this.#end();
    this.#resolve();
  }

  failed(error: unknown): void {
    this.#end();
    this.#reject(error);
  }

  expired(): void {
    this.#end();
    this.#resolve();
  }

  #end(): void {
    this.#over = true;
    this.#timeout?.cancel();
  }
}

/** Two who read the same piece: the one who asked first, and who joined. */
export class Both implements Reader {
  #first: Reader;
  #second: Reader;

  constructor(first: Reader, second: Reader) {
    this.#first = first;
    this.#second = second;
  }

  took(bytes: Uint8Array | null): void {
    this.#first.took(bytes);
    this.#second.took(bytes);
  }

  failed(error: unknown): void {
    this.#first.failed(error);
    this.#second.failed(error);
  }
}
