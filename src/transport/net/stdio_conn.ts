import { closeSync, fstatSync, write, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import { type Endpoint, UNNAMED } from "../../endpoint.ts";
import { fromSystem } from "../errno.ts";
import { PulledConn } from "../pulled_conn.ts";
import type { Output } from "../system.ts";
import { WriteQueue } from "../write_queue.ts";

/** A runtime's access to this program's standard input. */
export interface Input {
  /** The next bytes; null at the end. */
  read(): Promise<Uint8Array | null>;
  close(): void;
}

/** The first and the longest pause, in ms, where an output takes nothing. */
const PAUSES = { first: 1, longest: 50 };

/** This program's standard input and output as one connection. */
export class StdioConn extends PulledConn {
  readonly local: Endpoint = UNNAMED;
  readonly remote: Endpoint = UNNAMED;
  readonly #input: Input;
  readonly #output: Output;
  readonly #writes = new WriteQueue();
  #hasEnded = false;

  constructor(input: Input, output: Output) {
    super();
    this.#input = input;
    this.#output = output;
  }

  protected async pull(): Promise<Uint8Array | null> {
    try {
      return await this.#input.read();
    } catch (error) {
      throw fromSystem(error, "cannot read");
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.run(() => this.#output.write(bytes));
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
    this.#input.close();
  }

  abort(): void {
    this.close();
  }

  isAlive(): Promise<boolean> {
    return Promise.resolve(!this.isDropped);
  }
}

/**
 * An output of a function that writes what the system takes at once. Where
 * others have made a shared terminal or pipe non-blocking, it tries again.
 *
 * @param writeSome gives how many bytes were taken
 */
export function patientOutput(
  writeSome: (bytes: Uint8Array) => Promise<number>,
): Output {
  return {
    async write(bytes) {
      let pause = PAUSES.first;
      for (let rest = bytes; rest.length > 0;) {
        try {
          rest = rest.subarray(await writeSome(rest));
          pause = PAUSES.first;
        } catch (error) {
          if ((error as { code?: string }).code !== "EAGAIN") {
            throw fromSystem(error, "cannot write");
          }
          await sleep(pause);
          pause = Math.min(PAUSES.longest, 2 * pause);
        }
      }
    },
  };
}

/** The output of a descriptor; in a thread, where somebody may not read it. */
export function descriptorOutput(descriptor: number): Output {
  return fileOutput(descriptor) ??
    patientOutput((bytes) =>
      new Promise((resolve, reject) => {
        write(descriptor, bytes, (error, count) => {
          if (error) reject(error);
          else resolve(count);
        });
      })
    );
}

/**
 * The output of a file or of a device such as /dev/null. Nobody has to read it,
 * so it is written to at once: for a line of the log, a thread takes 4 to 15 µs
 * of processor (see bench/NOTES.md).
 *
 * @returns undefined for what somebody reads: a pipe, a socket, a terminal
 */
export function fileOutput(descriptor: number): Output | undefined {
  if (!hasNoReader(descriptor)) return undefined;
  return {
    // deno-lint-ignore require-await -- failing must reject
    async write(bytes) {
      try {
        for (let rest = bytes; rest.length > 0;) {
          rest = rest.subarray(writeSync(descriptor, rest));
        }
      } catch (error) {
        throw fromSystem(error, "cannot write");
      }
    },
  };
}

function hasNoReader(descriptor: number): boolean {
  try {
    const kind = fstatSync(descriptor);
    return kind.isFile() || kind.isCharacterDevice() && !isatty(descriptor);
  } catch {
    return false; // it is closed
  }
}

/** Closes the descriptor itself, so that the output's reader sees the end. */
export function closeStdout(): void {
  try {
    closeSync(1);
  } catch {
    // It was closed when the program began.
  }
}
