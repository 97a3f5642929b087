import { Socket } from "node:net";

type Written = (error?: Error | null) => void;

/** What becomes of a socket. */
export interface SocketListener {
  connected?(): void;
  arrived?(bytes: Uint8Array): void;
  ended?(): void;
  broke(error: Error): void;
  closed?(): void;
}

/**
 * A socket that outlives a failed write. A stream of Node's destroys itself
 * then, and what the peer had sent before it went is lost unread; so the
 * stream never hears of the failure, and lives until it is read to its end.
 */
export class QuietSocket extends Socket {
  /** What the first failed write failed of. */
  writeError: Error | undefined;
  #listener: SocketListener | undefined;

  /** Tells one listener all from now on, by functions that sockets share. */
  tell(listener: SocketListener): void {
    if (this.#listener === undefined) {
      if (this.connecting || this.pending) {
        this.on("connect", QuietSocket.#connected);
      }
      this.on("end", QuietSocket.#ended);
      this.on("error", QuietSocket.#broke);
      this.on("close", QuietSocket.#closed);
    }
    this.#listener = listener;
  }

  /** Its bytes come as the stream's own events. */
  flow(): void {
    this.on("data", QuietSocket.#arrived);
  }

  static #connected(this: QuietSocket): void {
    this.#listener?.connected?.();
  }

  static #arrived(this: QuietSocket, bytes: Uint8Array): void {
    this.#listener?.arrived?.(bytes);
  }

  static #ended(this: QuietSocket): void {
    this.#listener?.ended?.();
  }

  static #broke(this: QuietSocket, error: Error): void {
    this.#listener?.broke(error);
  }

  static #closed(this: QuietSocket): void {
    this.#listener?.closed?.();
  }

  override _write(chunk: unknown, encoding: string, done: Written): void {
    // @ts-expect-error -- a stream's own members, missing in the types
    super._write(chunk, encoding, this.#quietly(done));
  }

  override _writev(chunks: unknown, done: Written): void {
    // @ts-expect-error -- a stream's own members, missing in the types
    super._writev(chunks, this.#quietly(done));
  }

  #quietly(done: Written): Written {
    return (error) => {
      if (error) this.writeError ??= error;
      done();
    };
  }
}
