import type { Endpoint } from "../endpoint.ts";
import { StreamConn } from "../transport/stream_conn.ts";
import type { Conn } from "../transport/transport.ts";

/**
 * A program's standard input and output, whose output may be called over
 * although somebody still holds the other end of the pipe.
 */
export class ProgramConn extends StreamConn {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  #stdio: Conn;
  #alsoOutput: Promise<void>;
  #over = false;
  #endRead: ((end: null) => void) | undefined;

  /** @param alsoOutput resolves when what else is sent as output has ended */
  constructor(stdio: Conn, alsoOutput: Promise<void>) {
    super();
    this.#stdio = stdio;
    this.#alsoOutput = alsoOutput;
    this.local = stdio.local;
    this.remote = stdio.remote;
  }

  read(): Promise<Uint8Array | null> {
    if (this.#over) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#endRead = resolve;
      this.#stdio.read().then(async (bytes) => {
        if (bytes === null) await this.#alsoOutput;
        resolve(bytes);
      }, reject);
    });
  }

  /** The next read, or the one under way, is told the end of the stream. */
  endOutput(): void {
    this.#over = true;
    this.#endRead?.(null);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#stdio.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#stdio.closeWrite();
  }

  close(): void {
    this.#stdio.close();
  }

  abort(): void {
    this.#stdio.abort();
  }
}
