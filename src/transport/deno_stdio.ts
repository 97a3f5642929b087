/** Deno's standard streams: https://docs.deno.com/api/deno/~/Deno.stdin */
import type { Endpoint } from "../endpoint.ts";
import { fromSystem } from "./errno.ts";
import { closedHere, UNNAMED } from "./net_conn.ts";
import { StreamConn } from "./stream_conn.ts";
import type { Conn } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** The members of Deno that this needs, and no more. */
interface DenoStdio {
  stdin: { read(into: Uint8Array): Promise<number | null>; close(): void };
  stdout: { write(bytes: Uint8Array): Promise<number>; close(): void };
}
declare const Deno: DenoStdio;

const BUFFER = 64 * 1024;

/** This program's standard input and output. */
export function denoStdio(): Conn {
  return new NativeStdio();
}

class NativeStdio extends StreamConn {
  readonly local: Endpoint = UNNAMED;
  readonly remote: Endpoint = UNNAMED;
  #writes = new WriteQueue();
  #ended = false;
  #closed = false;

  async read(): Promise<Uint8Array | null> {
    if (this.#closed) throw closedHere();
    const buffer = new Uint8Array(BUFFER);
    try {
      const count = await Deno.stdin.read(buffer);
      return count === null ? null : buffer.subarray(0, count);
    } catch (error) {
      throw this.#closed ? closedHere() : fromSystem(error, "cannot read");
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.run(async () => {
      try {
        for (let rest = bytes; rest.length > 0;) {
          rest = rest.subarray(await Deno.stdout.write(rest));
        }
      } catch (error) {
        throw fromSystem(error, "cannot write");
      }
    });
  }

  /** Really closes it, so that whoever reads it sees the end. */
  async closeWrite(): Promise<void> {
    await this.#writes.settled();
    if (this.#ended) return;
    this.#ended = true;
    Deno.stdout.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    Deno.stdin.close();
  }

  abort(): void {
    this.close();
  }
}
