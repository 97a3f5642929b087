/** Connections on Bun: https://bun.com/docs/api/tcp */
import type { Peer } from "../../endpoint.ts";
import type { Timer, TimerList } from "../../timers.ts";
import { closedHere, fromSystem } from "../errno.ts";
import { KEEP_ALIVE_BEGIN, keepAlive } from "../net/conn.ts";
import { type Outlet, PushedConn } from "../pushed_conn.ts";
import type { Detached } from "../transport.ts";
import type { BunSocket, BunSocketOwner } from "./socket.ts";

/** Bytes that the system has not taken yet, and what to call when it has. */
interface Write {
  bytes: Uint8Array;
  /** The source, where the bytes are those of a pipe. */
  readonly source?: PushedConn;
  readonly written?: () => void;
  readonly failed?: (error: Error) => void;
}

export class BunConn extends PushedConn implements BunSocketOwner, Outlet {
  readonly #socket: BunSocket;
  #output: "open" | "shut down" | "gone" = "open";
  #writes: Write[] | undefined = undefined;
  /** Until it has lived for a moment. */
  #young: Timer | undefined = undefined;

  constructor(socket: BunSocket, ends: Peer, timers: TimerList) {
    super(ends);
    this.#socket = socket;
    if (ends.remote.transport === "unix") return;
    this.#young = timers.after(KEEP_ALIVE_BEGIN, this);
  }

  /** It has lived for a moment. */
  expired(): void {
    this.#young = undefined;
    keepAlive(this.#socket);
  }

  /** Once our side is shut down, this may be all that Bun reports of an end. */
  closed(error: Error | undefined): void {
    const wasShutDown = this.#output === "shut down";
    this.#output = "gone";
    this.#young?.cancel();
    if (error === undefined && wasShutDown) this.over(null);
    if (this.end !== undefined && this.#writes === undefined) return;
    const failure = error === undefined
      ? closedHere()
      : fromSystem(error, "the connection broke");
    const writeFailure = error === undefined ? this.#writeFailure() : failure;
    this.over(failure);
    this.#failWrites(writeFailure);
  }

  threw(error: Error): void {
    try {
      this.over(fromSystem(error, "the connection broke"));
    } finally {
      this.abort(); // Bun does not close the socket by itself
    }
  }

  protected pauseInput(): void {
    this.#socket.pause();
  }

  protected resumeInput(): void {
    this.#socket.resume();
  }

  write(bytes: Uint8Array): Promise<void> {
    let count = 0;
    if (this.#writes === undefined) {
      try {
        count = this.#offer(bytes);
      } catch (error) {
        return Promise.reject(error);
      }
      if (count === bytes.length) return DONE;
    }
    const rest = count === 0 ? bytes : bytes.subarray(count);
    return new Promise((written, failed) => {
      (this.#writes ??= []).push({ bytes: rest, written, failed });
    });
  }

  pour(bytes: Uint8Array, source: PushedConn): number {
    const count = this.#writes === undefined ? this.#offer(bytes) : 0;
    if (count === bytes.length) {
      giveBack(bytes);
      return count;
    }
    const rest = count === 0 ? bytes : bytes.subarray(count);
    (this.#writes ??= []).push({ bytes: rest, source });
    return count;
  }

  /** @returns how many bytes the system has taken, which may be none */
  #offer(bytes: Uint8Array): number {
    if (this.#output !== "open") throw this.#writeFailure();
    const count = this.#socket.write(bytes);
    if (count >= 0) return count;
    throw fromSystem({ code: "EPIPE" }, "cannot write");
  }

  /** Why nothing can be written any more. */
  #writeFailure(): Error {
    if (this.end instanceof Error) return this.end;
    // Bun closes a socket whose peer takes no more.
    return this.#output === "gone" && !this.isDropped
      ? fromSystem({ code: "EPIPE" }, "cannot write")
      : closedHere();
  }

  /** The system takes bytes again. */
  drained(): void {
    const writes = this.#writes;
    if (writes === undefined) return;
    for (let write; (write = writes[0]) !== undefined;) {
      const { bytes, source, written } = write;
      let count: number;
      try {
        count = bytes.length === 0 ? 0 : this.#offer(bytes);
      } catch (error) {
        return this.#failWrites(error as Error);
      }
      if (count < bytes.length) {
        write.bytes = bytes.subarray(count);
        if (count > 0) source?.took(count);
        return;
      }
      writes.shift();
      if (source !== undefined) giveBack(bytes);
      if (writes.length === 0) this.#writes = undefined;
      written?.();
      source?.took(count);
      if (this.#writes !== writes) return;
    }
  }

  #failWrites(error: Error): void {
    const writes = this.#writes ?? [];
    this.#writes = undefined;
    for (const { source, failed } of writes) {
      failed?.(error);
      source?.outletFailed(error);
    }
  }

  closeWrite(): Promise<void> {
    if (this.#writes === undefined) {
      this.#shutDown();
      return DONE;
    }
    return this.write(NOTHING).then(() => this.#shutDown());
  }

  #shutDown(): void {
    if (this.#output !== "open") return;
    this.#output = "shut down";
    this.#socket.shutdown();
  }

  close(): void {
    this.drop();
    if (this.#writes === undefined) return this.#letGo();
    const letGo = () => this.#letGo();
    this.write(NOTHING).then(letGo, letGo);
  }

  #letGo(): void {
    if (this.#output === "gone") return;
    this.#output = "gone";
    this.#socket.end();
  }

  abort(): void {
    this.drop();
    if (this.#output !== "gone") {
      this.#output = "gone";
      this.#socket.terminate();
    }
    this.#failWrites(closedHere());
  }

  /** Bun still watches a socket whose input has ended. */
  isAlive(): Promise<boolean> {
    return Promise.resolve(this.#output !== "gone");
  }

  /** For `ProcessConn.endInput`, where this is the output of a program. */
  endInput(): boolean {
    return this.endIfAwaited();
  }

  detach(): Detached | undefined {
    const socket = this.#socket;
    const isWhole = this.#output === "open" && this.#writes === undefined;
    if (!isWhole || !this.isIdle || !(socket.fd >= 0)) return undefined;
    socket.pause();
    this.drop();
    if (this.#young?.cancel()) keepAlive(socket);
    return {
      fd: socket.fd,
      release: () => {
        if (this.#output === "gone") return;
        this.#output = "gone";
        socket.close();
      },
    };
  }
}

const DONE = Promise.resolve();
const NOTHING = new Uint8Array(0);

/** Bytes from which on a buffer is worth freeing before the next collection. */
const LARGE = 16 * 1024;

/**
 * Frees the memory of bytes that have been written. Bun reads into new memory
 * each time; freed at once, the same memory is used for the next read, while
 * the processor's caches still hold it (see bench/NOTES.md).
 *
 * @param bytes nobody uses them any more, nor those before them in their buffer
 */
function giveBack(bytes: Uint8Array): void {
  // A small piece has no buffer of its own until `buffer` is read.
  if (bytes.length < LARGE && bytes.byteOffset === 0) return;
  const { buffer } = bytes;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength < LARGE) return;
  const end = bytes.byteOffset + bytes.length;
  if (end === buffer.byteLength) buffer.transfer(0);
}
