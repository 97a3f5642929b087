import { type Endpoint, localEnd } from "../../endpoint.ts";
import type { Timer, TimerList } from "../../timers.ts";
import { closedHere, fromSystem } from "../errno.ts";
import { type Outlet, PushedConn } from "../pushed_conn.ts";
import {
  KEEP_ALIVE_BEGIN,
  keepAlive,
  type QuietSocket,
  type SocketOwner,
} from "./socket.ts";

/** A connection over a socket of `node:net`, by its documented members. */
export class NetConn extends PushedConn implements SocketOwner, Outlet {
  protected readonly socket: QuietSocket;
  #local: Endpoint | undefined;
  /** The source of the pipe that ends here, and its bytes still to write. */
  #source: PushedConn | undefined = undefined;
  #sourceBytes = 0;
  /** Until it has lived for a moment. */
  #young: Timer | undefined = undefined;

  /** @param local undefined to ask the system for it when it is needed */
  constructor(
    socket: QuietSocket,
    local: Endpoint | undefined,
    remote: Endpoint,
    timers: TimerList,
  ) {
    super(remote);
    this.socket = socket;
    this.#local = local;
    socket.own(this);
    if (remote.transport === "unix") return;
    this.#young = timers.after(KEEP_ALIVE_BEGIN, this);
  }

  /** It has lived for a moment. */
  expired(): void {
    this.#young = undefined;
    keepAlive(this.socket);
  }

  /** Before another goes on with the socket. */
  protected outgrow(): void {
    if (this.#young?.cancel()) this.expired();
  }

  /** Reads from now on; bytes that nobody has asked for are kept. */
  start(): this {
    // Not later: on Bun a failed write closes the socket, and bytes that were
    // not read before are lost.
    this.socket.flow();
    this.socket.resume();
    return this;
  }

  get local(): Endpoint {
    return this.#local ??= localEnd(this.socket);
  }

  get outlet(): Outlet {
    return this;
  }

  ended(): void {
    this.over(null);
  }

  broke(error: Error): void {
    this.over(fromSystem(error, "cannot read"));
  }

  closed(): void {
    this.#young?.cancel();
    if (this.end === undefined) this.over(closedHere());
    this.#refuse();
  }

  protected pauseInput(): void {
    this.socket.pause();
  }

  protected resumeInput(): void {
    this.socket.resume();
  }

  write(bytes: Uint8Array): Promise<void> {
    const { socket } = this;
    if (!socket.writable) return Promise.reject(this.#writeFailure());
    return new Promise((resolve, reject) => {
      socket.write(bytes, (error) => {
        // A stream that is destroyed reports a write under way as a success.
        if (error || socket.writeError !== undefined || socket.destroyed) {
          reject(this.#writeFailure());
        } else resolve();
      });
    });
  }

  pour(bytes: Uint8Array, source: PushedConn): number {
    const { socket } = this;
    if (socket.writable) socket.write(bytes);
    if (!socket.writable || socket.writeError !== undefined) {
      throw this.#writeFailure();
    }
    if (socket.writableLength === 0) return bytes.length;
    this.#source = source;
    this.#sourceBytes = bytes.length;
    return 0;
  }

  wrote(): void {
    const source = this.#source;
    if (source === undefined) return;
    const { socket } = this;
    if (socket.writeError !== undefined || socket.destroyed) {
      return this.#refuse();
    }
    // The bytes of the pipe are the last ones in the queue of the stream.
    const left = Math.min(this.#sourceBytes, socket.writableLength);
    const count = this.#sourceBytes - left;
    this.#sourceBytes = left;
    if (left === 0) this.#source = undefined;
    if (count > 0) source.took(count);
  }

  #refuse(): void {
    const source = this.#source;
    this.#source = undefined;
    source?.outletFailed(this.#writeFailure());
  }

  /** Why nothing can be written any more. */
  #writeFailure(): Error {
    const { writeError } = this.socket;
    if (writeError !== undefined) return fromSystem(writeError, "cannot write");
    return this.end instanceof Error ? this.end : closedHere();
  }

  closeWrite(): Promise<void> {
    const { socket } = this;
    if (socket.destroyed) return DONE;
    return new Promise((resolve, reject) => {
      socket.end((error?: Error | null) => {
        if (error && !hasEnded(error)) reject(fromSystem(error, "cannot end"));
        else resolve();
      });
    });
  }

  close(): void {
    this.drop();
    // With nothing left to write or to read, destroying sends the same end.
    if (this.end === null && this.socket.writableLength === 0) {
      this.socket.destroy();
    } else this.socket.destroySoon();
  }

  abort(): void {
    this.drop();
    this.reset();
  }

  /** Sends a reset where no write is pending; otherwise closes without one. */
  protected reset(): void {
    const { socket } = this;
    const isTcp = this.remote.transport === "tcp";
    // `resetAndDestroy` waits for pending writes, which may be for ever.
    const isWritten = socket.writable
      ? socket.writableLength === 0
      : socket.writableFinished;
    if (isTcp && isWritten && !socket.destroyed) socket.resetAndDestroy();
    else socket.destroy();
  }

  /** An empty write reaches the system, and sends nothing to the peer. */
  async isAlive(): Promise<boolean> {
    const { socket } = this;
    if (socket.destroyed || this.isDropped) return false;
    if (socket.writable && socket.writableLength === 0) {
      await new Promise((resolve) => socket.write("", resolve));
    }
    return socket.writeError === undefined;
  }
}

/** Whether the error only says that our side had ended already. */
function hasEnded(error: Error): boolean {
  const { code } = error as { code?: string };
  return code === "ERR_STREAM_ALREADY_FINISHED" ||
    code === "ERR_STREAM_DESTROYED";
}

const DONE = Promise.resolve();
