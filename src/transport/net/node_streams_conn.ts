import type { Readable, Writable } from "node:stream";
import { UNNAMED } from "../../endpoint.ts";
import { closedHere, fromSystem } from "../errno.ts";
import { PushedConn } from "../pushed_conn.ts";
import type { ProcessConn } from "../transport.ts";

/** A stream to read from and a stream to write to as one connection. */
export class NodeStreamsConn extends PushedConn implements ProcessConn {
  readonly #input: Readable;
  readonly #output: Writable | undefined;
  inputEnded: (() => void) | undefined = undefined;
  readonly #failing = new Set<(error: Error) => void>();

  /** @param output undefined where there is nothing to write to */
  constructor(input: Readable, output?: Writable | null) {
    super({ local: UNNAMED, remote: UNNAMED });
    this.#input = input;
    this.#output = output ?? undefined;
    input.pause();
    input.on("data", (bytes: Uint8Array) => this.arrived(bytes));
    input.on("end", () => this.over(null));
    input.on("error", (error) => this.over(fromSystem(error, "cannot read")));
    input.on("close", () => this.over(closedHere()));
    this.pause(); // nothing is read before somebody asks for it
    output?.on("error", () => {}); // each write reports its own failure
  }

  protected pauseInput(): void {
    this.#input.pause();
  }

  protected resumeInput(): void {
    this.#input.resume();
  }

  endInput(): boolean {
    return this.endIfAwaited();
  }

  write(bytes: Uint8Array): Promise<void> {
    const output = this.#output;
    if (output === undefined || this.isDropped || output.writableEnded) {
      return Promise.reject(closedHere());
    }
    return new Promise((resolve, reject) => {
      this.#failing.add(reject);
      output.write(bytes, (error) => {
        this.#failing.delete(reject);
        if (error) reject(fromSystem(error, "cannot write"));
        else resolve();
      });
    });
  }

  closeWrite(): Promise<void> {
    this.inputEnded?.();
    const output = this.#output;
    if (output === undefined || output.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      output.end(() => resolve());
      output.once("close", () => resolve());
    });
  }

  close(): void {
    this.drop();
    this.#output?.end();
    this.#input.destroy();
  }

  abort(): void {
    this.drop();
    // On Bun, destroying the stream does not end the writes under way.
    for (const reject of this.#failing) reject(closedHere());
    this.#failing.clear();
    this.#output?.destroy();
    this.#input.destroy();
  }

  /** A stream that we have ended ourselves does not show whether it broke. */
  isAlive(): Promise<boolean> {
    const output = this.#output;
    const isBroken = output?.destroyed === true && !output.writableEnded;
    return Promise.resolve(!this.isDropped && !isBroken);
  }
}
