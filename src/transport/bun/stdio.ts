/** Standard streams on Bun: https://bun.com/docs/api/file-io */
import { descriptorOutput, StdioConn } from "../net/stdio_conn.ts";
import type { Conn } from "../transport.ts";

/** The member of Bun that this needs, and no more. */
declare const Bun: { stdin: { stream(): ReadableStream<Uint8Array> } };

/**
 * Standard streams without `process.stdin`, which costs six times as much, and
 * without `process.stdout`, which makes a pipe non-blocking for all its users:
 * a write waits in a thread of Bun's, which does not hold up the end.
 */
export function bunStdio(): Conn {
  let input: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new StdioConn({
    async read() {
      input ??= Bun.stdin.stream().getReader(); // does not read ahead
      return (await input.read()).value ?? null;
    },
    close() {}, // a read may be under way; the program ends soon
  }, descriptorOutput(1));
}
