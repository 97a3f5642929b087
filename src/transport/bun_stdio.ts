import { read, write } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Endpoint } from "../endpoint.ts";
import { fromSystem } from "./errno.ts";
import { closedHere, UNNAMED } from "./net_conn.ts";
import { closeStdout } from "./node_stdio.ts";
import { StreamConn } from "./stream_conn.ts";
import type { Conn } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

const STDIN = 0;
const STDOUT = 1;
const BUFFER = 64 * 1024;

/** Milliseconds until a descriptor that says "not now" is asked again. */
const RETRY_PAUSE = 5;

/**
 * This program's standard input and output, for Bun: by descriptor, since its
 * `process.stdin` costs six times as much. Node cannot do the same: a read
 * under way keeps it from exiting.
 */
export function bunStdio(): Conn {
  return new BunStdio();
}

class BunStdio extends StreamConn {
  readonly local: Endpoint = UNNAMED;
  readonly remote: Endpoint = UNNAMED;
  #writes = new WriteQueue();
  #ended = false;
  #closed = false;

  async read(): Promise<Uint8Array | null> {
    if (this.#closed) throw closedHere();
    const buffer = new Uint8Array(BUFFER);
    try {
      const count = await patiently(() => readInto(buffer));
      if (this.#closed) throw closedHere();
      return count === 0 ? null : buffer.subarray(0, count);
    } catch (error) {
      throw fromSystem(error, "cannot read");
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.run(async () => {
      try {
        for (let rest = bytes; rest.length > 0;) {
          rest = rest.subarray(await patiently(() => writeFrom(rest)));
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
    closeStdout();
  }

  close(): void {
    this.#closed = true;
  }

  abort(): void {
    this.#closed = true;
  }
}

/** Others may have made the terminal or pipe we share non-blocking. */
async function patiently(attempt: () => Promise<number>): Promise<number> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      await sleep(RETRY_PAUSE);
    }
  }
}

function readInto(buffer: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    read(STDIN, buffer, 0, buffer.length, null, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}

function writeFrom(bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    write(STDOUT, bytes, 0, bytes.length, null, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}
