import type { Readable, Writable } from "node:stream";
import type { Endpoint } from "../endpoint.ts";
import { closedHere, fromSystem } from "./errno.ts";
import { Inbox } from "./inbox.ts";
import { UNNAMED } from "./net_conn.ts";
import { StreamConn } from "./stream_conn.ts";
import type { ProgramStdio } from "./transport.ts";

/** What a stream of Node's gives, to be pulled. */
export function inboxOf(stream: Readable): Inbox {
  const inbox = new Inbox(
    {
      pause: () => stream.pause(),
      resume: () => stream.resume(),
    },
    64 * 1024,
    true,
  );
  stream.pause();
  stream.on("data", (bytes: Uint8Array) => inbox.push(bytes));
  endWith(stream, inbox);
  return inbox;
}

/** What ends the stream ends the inbox. */
export function endWith(stream: Readable, inbox: Inbox): void {
  stream.on("end", () => inbox.end());
  stream.on("error", (error) => inbox.fail(fromSystem(error, "cannot read")));
  stream.on("close", () => {
    if (!inbox.over) inbox.fail(closedHere());
  });
}

/** A stream to read and a stream to write, of a program, as one connection. */
export class PipeConn extends StreamConn implements ProgramStdio {
  readonly local: Endpoint = UNNAMED;
  readonly remote: Endpoint = UNNAMED;
  #output: Readable;
  #input: Writable;
  #inbox: Inbox;
  #writing = new Set<(error: Error) => void>();

  constructor(output: Readable, input: Writable, inbox = inboxOf(output)) {
    super();
    this.#output = output;
    this.#input = input;
    this.#inbox = inbox;
    input.on("error", () => {}); // each write reports its own failure
  }

  read(): Promise<Uint8Array | null> {
    return this.#inbox.read();
  }

  endRead(): boolean {
    return this.#inbox.endIfAwaited();
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writing.add(reject);
      this.#input.write(bytes, (error) => {
        this.#writing.delete(reject);
        if (error) reject(fromSystem(error, "cannot write"));
        else resolve();
      });
    });
  }

  closeWrite(): Promise<void> {
    if (this.#input.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#input.end(() => resolve());
      this.#input.once("close", () => resolve());
    });
  }

  close(): void {
    this.#inbox.close();
    this.#input.end();
    this.#output.destroy();
  }

  abort(): void {
    this.#inbox.close();
    // Bun does not tell the writes under way that the stream is destroyed.
    for (const reject of this.#writing) reject(closedHere());
    this.#writing.clear();
    this.#input.destroy();
    this.#output.destroy();
  }
}
