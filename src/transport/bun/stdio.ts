/** Standard streams on Bun: https://bun.com/docs/api/file-io */
import { write } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { StdioConn } from "../stdio_conn.ts";
import type { Conn } from "../transport.ts";

/** The member of Bun that this needs, and no more. */
declare const Bun: { stdin: { stream(): ReadableStream<Uint8Array> } };

const STDOUT = 1;

/** Milliseconds before a write that failed with EAGAIN is tried again. */
const RETRY_PAUSE = 5;

/**
 * Standard streams without `process.stdin`, which costs six times as much, and
 * without `process.stdout`, which makes a pipe non-blocking for all its users.
 */
export function bunStdio(): Conn {
  let input: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new StdioConn({
    async read() {
      input ??= Bun.stdin.stream().getReader(); // does not read ahead
      return (await input.read()).value ?? null;
    },
    write: writePatiently,
    closeInput() {}, // a read may be under way; the program ends soon
  });
}

/** Waits where others have made a shared terminal or pipe non-blocking. */
async function writePatiently(bytes: Uint8Array): Promise<number> {
  for (;;) {
    try {
      return await writeSome(bytes);
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      await sleep(RETRY_PAUSE);
    }
  }
}

function writeSome(bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    write(STDOUT, bytes, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}
