import type { OnReadOpts, Socket } from "node:net";
import { buffers } from "./buffers.ts";
import type { Inbox, Source } from "./inbox.ts";

/**
 * Reads of one socket of Node's into buffers that are used again. The stream
 * itself makes a new buffer of 64 KiB for every read, which halves its speed.
 */
export class NodeReads implements Source {
  #socket: Socket | undefined;
  #inbox: Inbox | undefined;
  #buffer: Uint8Array = buffers.small();
  /** What was read last, while it is still being written from. */
  #lent: Uint8Array | undefined;
  #paused = false;
  #count = 0;

  /** For the options of the socket. */
  readonly onread: OnReadOpts = {
    buffer: () => this.#next(),
    callback: (count, buffer) => this.#arrived(count, buffer),
  };

  /** Once there is a socket; what it reads before waits in it. */
  pourInto(socket: Socket, inbox: Inbox): void {
    this.#socket = socket;
    this.#inbox = inbox;
    socket.on("close", () => {
      buffers.putBack(this.#buffer);
      if (this.#lent !== undefined) buffers.giveUp(this.#lent);
      this.#lent = undefined;
    });
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#lent !== undefined) buffers.putBack(this.#lent);
    this.#lent = undefined;
    this.#socket?.resume();
  }

  /** Asked for at first, and after each read. */
  #next(): Uint8Array {
    if (this.#lent === undefined) {
      if (this.#count > 0) {
        this.#buffer = buffers.fitting(this.#buffer, this.#count);
      }
    } else this.#buffer = buffers.small();
    return this.#buffer;
  }

  /** @returns whether to read on */
  #arrived(count: number, buffer: Uint8Array): boolean {
    const inbox = this.#inbox!;
    this.#count = count;
    const bytes = buffer.subarray(0, count);
    if (inbox.isPouring) {
      inbox.push(bytes);
      if (this.#paused) this.#lent = buffer;
    } else inbox.push(bytes.slice()); // the reader's to keep
    return !this.#paused;
  }
}
