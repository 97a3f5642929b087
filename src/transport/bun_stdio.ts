import { writev } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { closeStdout } from "./node_stdio.ts";
import { StdioConn } from "./stdio_conn.ts";
import type { Conn } from "./transport.ts";

const STDOUT = 1;

/** Milliseconds until a descriptor that says "not now" is asked again. */
const RETRY_PAUSE = 5;

/** The members of Bun that this needs, and no more. */
interface BunStdin {
  stdin: { stream(): ReadableStream<Uint8Array> };
}
declare const Bun: BunStdin;

/**
 * This program's standard input and output, for Bun: neither by
 * `process.stdin`, which costs six times as much, nor by `process.stdout`,
 * which makes a pipe non-blocking for all who share it.
 */
export function bunStdio(): Conn {
  let input: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new StdioConn({
    async read() {
      input ??= Bun.stdin.stream().getReader(); // reads nothing unasked
      return (await input.read()).value ?? null;
    },
    write: patiently,
    closeInput() {}, // a read may be under way; the program ends soon
    closeOutput: closeStdout,
  });
}

/** Others may have made the terminal or pipe we share non-blocking. */
async function patiently(pieces: readonly Uint8Array[]): Promise<number> {
  for (;;) {
    try {
      return await writeFrom(pieces);
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      await sleep(RETRY_PAUSE);
    }
  }
}

function writeFrom(pieces: readonly Uint8Array[]): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(STDOUT, pieces, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}
