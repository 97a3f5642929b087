import { Settling } from "./settling.ts";
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
  return new Linger(conn, time, most).start();
}

class Linger extends Settling<void> implements Reader {
  #conn: Lingering;
  #time: number;
  #left: number;

  constructor(conn: Lingering, time: number, most: number) {
    super();
    this.#conn = conn;
    this.#time = time;
    this.#left = most;
  }

  protected override begin(): void {
    this.limit(this.#time);
    this.#conn.readOut(this);
  }

  took(bytes: Uint8Array | null): void {
    if (this.isOver) return;
    this.#left -= bytes?.length ?? this.#left;
    if (this.#left > 0) this.#conn.readOut(this);
    else this.resolve();
  }

  failed(error: unknown): void {
    this.reject(error);
  }

  override expired(): void {
    this.resolve();
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
