/** Standard streams on Deno: https://docs.deno.com/api/deno/~/Deno.stdin */
import { patientOutput, StdioConn } from "../net/stdio_conn.ts";
import type { Output } from "../system.ts";
import type { Conn } from "../transport.ts";

interface DenoWriter {
  write(bytes: Uint8Array): Promise<number>;
}

/** The members of Deno that this needs, and no more. */
declare const Deno: {
  stdin: { read(into: Uint8Array): Promise<number | null>; close(): void };
  stdout: DenoWriter;
  stderr: DenoWriter;
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
    close: () => Deno.stdin.close(),
  }, denoOutput(1));
}

/** A write waits in a thread of Deno's, which does not hold up the end. */
export function denoOutput(descriptor: 1 | 2): Output {
  const writer = descriptor === 1 ? Deno.stdout : Deno.stderr;
  return patientOutput((bytes) => writer.write(bytes));
}
