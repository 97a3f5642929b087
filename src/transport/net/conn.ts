import { Socket } from "node:net";
import type { Peer } from "../../endpoint.ts";
import type { Timer, TimerList } from "../../timers.ts";
import { closedHere, fromSystem } from "../errno.ts";
import { type Outlet, PushedConn } from "../pushed_conn.ts";

type Written = (error?: Error | null) => void;

/**
 * What a {@linkcode QuietSocket} calls: the attempt until it is connected, then
 * the connection.
 */
export interface SocketOwner {
  arrived?(bytes: Uint8Array): unknown;
  /** The system has taken some of the bytes, or a write has failed. */
  wrote?(): void;
  /** The input has ended in good order. */
  over?(end: null): void;
  broke(error: Error): void;
  closed?(): void;
}

/**
 * A socket that outlives a failed write. A stream of Node destroys itself then,
 * and bytes that the peer sent before it left are lost unread. So the failure
 * is kept from the stream, which stays open until it is read to its end.
 */
export class QuietSocket extends Socket {
  /** The error of the first write that failed. */
  writeError: Error | undefined;
  private owner: SocketOwner | undefined;

  /** Turns a socket that Node has made into one of this class. */
  static of(socket: Socket): QuietSocket {
    return Object.setPrototypeOf(socket, QuietSocket.prototype);
  }

  /**
   * Calls this owner from now on, by functions that all sockets share.
   *
   * @param reads whether it gets the pieces that the stream reads
   */
  own(owner: SocketOwner, reads = false): void {
    if (this.owner === undefined) {
      this.on("end", QuietSocket.#ended);
      this.on("error", QuietSocket.#broke);
      this.on("close", QuietSocket.#closed);
    }
    this.owner = owner;
    if (reads) this.on("data", QuietSocket.#arrived);
  }

  /** Calls the owner no more for bytes and for their end. */
  disown(): void {
    this.off("data", QuietSocket.#arrived);
    this.off("end", QuietSocket.#ended);
  }

  static #arrived(this: QuietSocket, bytes: Uint8Array): void {
    this.owner?.arrived?.(bytes);
  }

  static #ended(this: QuietSocket): void {
    this.owner?.over?.(null);
  }

  static #broke(this: QuietSocket, error: Error): void {
    this.owner?.broke(error);
  }

  static #closed(this: QuietSocket): void {
    this.owner?.closed?.();
  }

  override _write(chunk: unknown, encoding: string, done: Written): void {
    // @ts-expect-error -- a stream's own members, missing in the types
    super._write(chunk, encoding, this.quietly(done));
  }

  override _writev(chunks: unknown, done: Written): void {
    // @ts-expect-error -- a stream's own members, missing in the types
    super._writev(chunks, this.quietly(done));
  }

  /** Not `#quietly`: sockets that Node has made have no private members. */
  private quietly(done: Written): Written {
    return (error) => {
      if (error) this.writeError ??= error;
      done();
      this.owner?.wrote?.();
    };
  }
}

/**
 * A connection over a socket of `node:net`, by its documented members. It reads
 * from the beginning, and keeps bytes that nobody has asked for.
 */
export class NetConn extends PushedConn implements SocketOwner, Outlet {
  protected readonly socket: QuietSocket;
  /** The source of the pipe that ends here, and its bytes still to write. */
  #source: PushedConn | undefined = undefined;
  #sourceBytes = 0;
  #isHandedOver = false;
  /** Until it has lived for a moment. */
  #young: Timer | undefined = undefined;

  constructor(socket: QuietSocket, ends: Peer, timers: TimerList) {
    super(ends);
    this.socket = socket;
    // Not later: on Bun a failed write closes the socket, and bytes that were
    // not read before are lost.
    socket.own(this, true);
    socket.resume();
    if (ends.remote.transport === "unix") return;
    this.#young = timers.after(KEEP_ALIVE_BEGIN, this);
  }

  /** It has lived for a moment. */
  expired(): void {
    this.#young = undefined;
    keepAlive(this.socket);
  }

  broke(error: Error): void {
    this.over(fromSystem(error, "cannot read"));
  }

  closed(): void {
    this.#young?.cancel();
    if (this.end === undefined) this.over(closedHere());
    if (this.#source !== undefined) this.#refuse();
  }

  /**
   * Gives the socket away, for TLS to go on with. After that only `abort` may
   * be called, which ends both.
   *
   * @param read bytes that were read before, and belong to what follows
   */
  handOver(read: Uint8Array): QuietSocket {
    const { socket } = this;
    this.#isHandedOver = true;
    socket.pause();
    socket.disown();
    const pieces = [read, ...this.takeUnread()];
    for (const bytes of pieces.toReversed()) {
      if (bytes.length > 0) socket.unshift(bytes);
    }
    return socket;
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
    if (this.#source === undefined) return;
    const { socket } = this;
    if (socket.writeError !== undefined || socket.destroyed) {
      return this.#refuse();
    }
    this.queued(socket.writableLength);
  }

  /** So many bytes wait still; those of the pipe are the last ones. */
  protected queued(length: number): void {
    const source = this.#source;
    const left = Math.min(this.#sourceBytes, length);
    const count = this.#sourceBytes - left;
    this.#sourceBytes = left;
    if (left === 0) this.#source = undefined;
    if (count > 0) source?.took(count);
  }

  #refuse(): void {
    const source = this.#source;
    this.#source = undefined;
    source?.outletFailed(this.#writeFailure());
  }

  /** Why nothing can be written any more. */
  #writeFailure(): Error {
    const { writeError, writableEnded } = this.socket;
    if (this.isDropped) return closedHere();
    if (this.end instanceof Error) return this.end;
    if (writeError === undefined && writableEnded) return closedHere();
    // Bun says nothing where the peer takes no more, and closes the socket.
    const { code } = (writeError ?? { code: "EPIPE" }) as { code?: unknown };
    // What waits is cancelled where a reset is noticed by reading.
    const error = code === "ECANCELED" ? { code: "ECONNRESET" } : writeError;
    return fromSystem(error ?? { code }, "cannot write");
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
    // Node crashes where a socket is reset beneath TLS.
    const canReset = isTcp && isWritten && !this.#isHandedOver;
    if (canReset && !socket.destroyed) socket.resetAndDestroy();
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

/** Milliseconds of silence before TCP asks whether the peer still lives. */
const KEEP_ALIVE = 60_000;

/**
 * Milliseconds of a connection's life before that is switched on: it takes
 * four calls of the system, and most connections are gone by then.
 */
export const KEEP_ALIVE_BEGIN = 5_000;

/** The member of a socket that keep-alive needs, on Bun and on Node. */
interface KeptAlive {
  setKeepAlive(on: boolean, delay: number): unknown;
}

export function keepAlive(socket: KeptAlive): void {
  socket.setKeepAlive(true, KEEP_ALIVE);
}

/** Whether the error only says that our side had ended already. */
function hasEnded(error: Error): boolean {
  const { code } = error as { code?: string };
  return code === "ERR_STREAM_ALREADY_FINISHED" ||
    code === "ERR_STREAM_DESTROYED";
}

const DONE = Promise.resolve();
