/** Deno's standard streams: https://docs.deno.com/api/deno/~/Deno.stdin */
import { ReadThread } from "./deno_read_thread.ts";
import { StdioConn } from "./stdio_conn.ts";
import type { Conn } from "./transport.ts";

/** The members of Deno that this needs, and no more. */
interface DenoStdio {
  stdin: { read(into: Uint8Array): Promise<number | null>; close(): void };
  stdout: { write(bytes: Uint8Array): Promise<number>; close(): void };
}
declare const Deno: DenoStdio;

/** Full buffers in a row after which a thread of its own pays. */
const BUSY = 8;

/** This program's standard input and output. */
export function denoStdio(): Conn {
  const input = new Input();
  return new StdioConn({
    read: (buffer) => input.read(buffer),
    write: ([first]) => Deno.stdout.write(first!),
    closeInput: () => input.close(),
    closeOutput: () => Deno.stdout.close(),
  });
}

/** Standard input: by Deno's own way, and by a thread once much comes. */
class Input {
  #thread: ReadThread | undefined;
  #fullInARow = 0;

  async read(buffer: Uint8Array): Promise<Uint8Array | null> {
    if (this.#fullInARow === BUSY) {
      this.#thread ??= new ReadThread();
      const bytes = await this.#thread.read();
      if (bytes !== undefined) return bytes;
      this.#fullInARow = NaN; // never again: what is wrong is told below
    }
    const count = await Deno.stdin.read(buffer);
    if (count === null) return null;
    this.#fullInARow = count === buffer.length ? this.#fullInARow + 1 : 0;
    return buffer.subarray(0, count);
  }

  close(): void {
    this.#thread?.stop();
    Deno.stdin.close();
  }
}
