import { Socket } from "node:net";

type Written = (error?: Error | null) => void;

/**
 * What a {@linkcode QuietSocket} calls: the attempt until it is connected, then
 * the connection.
 */
export interface SocketOwner {
  connected?(): void;
  arrived?(bytes: Uint8Array): void;
  /** The system has taken some of the bytes, or a write has failed. */
  wrote?(): void;
  ended?(): void;
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

  /** Calls this owner from now on, by functions that all sockets share. */
  own(owner: SocketOwner): void {
    if (this.owner === undefined) {
      if (this.connecting || this.pending) {
        this.on("connect", QuietSocket.#connected);
      }
      this.on("end", QuietSocket.#ended);
      this.on("error", QuietSocket.#broke);
      this.on("close", QuietSocket.#closed);
    }
    this.owner = owner;
  }

  /** Gives the owner the pieces that the stream has read. */
  flow(): void {
    this.on("data", QuietSocket.#arrived);
  }

  static #connected(this: QuietSocket): void {
    this.owner?.connected?.();
  }

  static #arrived(this: QuietSocket, bytes: Uint8Array): void {
    this.owner?.arrived?.(bytes);
  }

  static #ended(this: QuietSocket): void {
    this.owner?.ended?.();
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
