import { read, write } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { closeStdout } from "./node_stdio.ts";
import { StdioConn } from "./stdio_conn.ts";
import type { Conn } from "./transport.ts";

const STDIN = 0;
const STDOUT = 1;

/** Milliseconds until a descriptor that says "not now" is asked again. */
const RETRY_PAUSE = 5;

/**
 * This program's standard input and output, for Bun: by descriptor, since its
 * `process.stdin` costs six times as much. Node cannot do the same: a read
 * under way keeps it from exiting.
 */
export function bunStdio(): Conn {
  return new StdioConn({
    read: (into) => patiently(() => readInto(into)),
    write: (bytes) => patiently(() => writeFrom(bytes)),
    closeInput() {}, // a read may be under way; the program ends soon
    closeOutput: closeStdout,
  });
}

/** Others may have made the terminal or pipe we share non-blocking. */
async function patiently<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      await sleep(RETRY_PAUSE);
    }
  }
}

function readInto(buffer: Uint8Array): Promise<number | null> {
  return new Promise((resolve, reject) => {
    read(STDIN, buffer, 0, buffer.length, null, (error, count) => {
      if (error) reject(error);
      else resolve(count === 0 ? null : count);
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
