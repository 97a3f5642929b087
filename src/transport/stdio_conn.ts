import { closeSync } from "node:fs";
import { type Endpoint, UNNAMED } from "../endpoint.ts";
import { fromSystem } from "./errno.ts";
import { PulledConn } from "./pulled_conn.ts";
import { WriteQueue } from "./write_queue.ts";

/** A runtime's access to this program's standard input and output. */
export interface Stdio {
  /** The next bytes; null at the end. */
  read(): Promise<Uint8Array | null>;
  /** @returns how many bytes were taken, which may be fewer than given */
  write(bytes: Uint8Array): Promise<number>;
  closeInput(): void;
}

const STDOUT = 1;

/** This program's standard input and output as one connection. */
export class StdioConn extends PulledConn {
  readonly local: Endpoint = UNNAMED;
  readonly remote: Endpoint = UNNAMED;
  readonly #stdio: Stdio;
  readonly #writes = new WriteQueue();
  #hasEnded = false;

  constructor(stdio: Stdio) {
    super();
    this.#stdio = stdio;
  }

  protected async pull(): Promise<Uint8Array | null> {
    try {
      return await this.#stdio.read();
    } catch (error) {
      throw fromSystem(error, "cannot read");
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.run(async () => {
      try {
        for (let rest = bytes; rest.length > 0;) {
          rest = rest.subarray(await this.#stdio.write(rest));
        }
      } catch (error) {
        throw fromSystem(error, "cannot write");
      }
    });
  }

  async closeWrite(): Promise<void> {
    await this.#writes.settled();
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    closeStdout();
  }

  close(): void {
    if (this.isDropped) return;
    this.drop();
    this.#stdio.closeInput();
  }

  abort(): void {
    this.close();
  }

  isAlive(): Promise<boolean> {
    return Promise.resolve(!this.isDropped);
  }
}

/** Closes the descriptor itself, so that the output's reader sees the end. */
export function closeStdout(): void {
  try {
    closeSync(STDOUT);
  } catch {
    // It was closed when the program began.
  }
}
