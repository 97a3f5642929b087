import type { Process } from "../../transport/transport.ts";

/** Bytes of one line of standard error that the log shows. */
const MAX_LINE = 2048;

const LF = 10;
const CR = 13;

/** Whom lines are handed to. */
export interface LineTaker {
  /** Whether the next line is wanted; asked once for each. */
  wants(): boolean;
  line(text: string): void;
}

/**
 * Hands on a program's standard error line by line, until it ends. Of a line
 * that is too long the beginning is handed on, once. It is read as fast as it
 * comes, wanted or not: a program that waits for its standard error to be read
 * would not answer its client either.
 */
export async function stderrLines(
  program: Process,
  taker: LineTaker,
): Promise<void> {
  const lines = new Lines(taker);
  for (let bytes; (bytes = await program.readStderr()) !== null;) {
    lines.take(bytes);
  }
  lines.end();
}

/** Cuts bytes into lines, of which it holds no more than is shown. */
class Lines {
  #taker: LineTaker;
  #decoder = new TextDecoder();
  #held = new Uint8Array(MAX_LINE);
  #length = 0;
  /** The line that is held was handed on already. */
  #cut = false;

  constructor(taker: LineTaker) {
    this.#taker = taker;
  }

  take(bytes: Uint8Array): void {
    let start = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== LF) continue;
      this.#hold(bytes, start, at);
      this.#handOn();
      this.#cut = false;
      start = at + 1;
    }
    this.#hold(bytes, start, bytes.length);
  }

  end(): void {
    if (this.#length > 0) this.#handOn();
  }

  #hold(bytes: Uint8Array, start: number, end: number): void {
    if (this.#cut || start === end) return;
    const room = MAX_LINE - this.#length;
    const part = bytes.subarray(start, Math.min(end, start + room));
    this.#held.set(part, this.#length);
    this.#length += part.length;
    if (end - start <= room) return;
    this.#handOn();
    this.#cut = true;
  }

  #handOn(): void {
    if (!this.#cut && this.#taker.wants()) {
      let end = this.#length;
      if (end > 0 && this.#held[end - 1] === CR) end--;
      this.#taker.line(this.#decoder.decode(this.#held.subarray(0, end)));
    }
    this.#length = 0;
  }
}
