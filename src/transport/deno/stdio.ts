/** Standard streams on Deno: https://docs.deno.com/api/deno/~/Deno.stdin */
import { StdioConn } from "../stdio_conn.ts";
import type { Conn } from "../transport.ts";

/** The members of Deno that this needs, and no more. */
declare const Deno: {
  stdin: { read(into: Uint8Array): Promise<number | null>; close(): void };
  stdout: { write(bytes: Uint8Array): Promise<number> };
};

/** Bytes that a pipe of Linux holds, the most that one read of it gives. */
const PIPE_SIZE = 64 * 1024;

export function denoStdio(): Conn {
  return new StdioConn({
    async read() {
      const buffer = new Uint8Array(PIPE_SIZE);
      const count = await Deno.stdin.read(buffer);
      return count === null ? null : buffer.subarray(0, count);
    },
    write: (bytes) => Deno.stdout.write(bytes),
    closeInput: () => Deno.stdin.close(),
  });
}
