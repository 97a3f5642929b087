/** Deno's standard streams: https://docs.deno.com/api/deno/~/Deno.stdin */
import { StdioConn } from "./stdio_conn.ts";
import type { Conn } from "./transport.ts";

/** The members of Deno that this needs, and no more. */
interface DenoStdio {
  stdin: { read(into: Uint8Array): Promise<number | null>; close(): void };
  stdout: { write(bytes: Uint8Array): Promise<number>; close(): void };
}
declare const Deno: DenoStdio;

/** This program's standard input and output. */
export function denoStdio(): Conn {
  return new StdioConn({
    read: async (buffer) => {
      const count = await Deno.stdin.read(buffer);
      return count === null ? null : buffer.subarray(0, count);
    },
    write: (bytes) => Deno.stdout.write(bytes),
    closeInput: () => Deno.stdin.close(),
    closeOutput: () => Deno.stdout.close(),
  });
}
