import { Socket } from "node:net";

type Written = (error?: Error | null) => void;

/**
 * A socket that outlives a failed write. A stream of Node's destroys itself
 * then, and what the peer had sent before it went is lost unread; so the
 * stream never hears of the failure, and lives until it is read to its end.
 */
export class QuietSocket extends Socket {
  /** What the first failed write failed of. */
  writeError: Error | undefined;

  override _write(chunk: unknown, encoding: string, done: Written): void {
    // @ts-expect-error -- a stream's own members, missing in the types
    super._write(chunk, encoding, this.#quietly(done));
  }

  override _writev(chunks: unknown, done: Written): void {
    // @ts-expect-error -- a stream's own members, missing in the types
    super._writev(chunks, this.#quietly(done));
  }

  #quietly(done: Written): Written {
    return (error) => {
      if (error) this.writeError ??= error;
      done();
    };
  }
}
