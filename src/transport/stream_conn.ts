import type { Endpoint } from "../endpoint.ts";
import type { Conn } from "./transport.ts";

/**
 * A connection. Its bytes come by `read`, by iteration or by `readable`, and go
 * either by `write` or by `writable`. `await using` closes it. Every failure is
 * a `TcpmuxError`.
 */
export interface StreamConn extends AsyncIterable<Uint8Array>, AsyncDisposable {
  /** The address of our end. */
  readonly local: Endpoint;
  /** The address of the other end. */
  readonly remote: Endpoint;
  /**
   * How the input has ended: undefined while it has not, null in good order, or
   * the error that broke the connection. Bytes before the end may be unread.
   */
  readonly end: undefined | null | Error;
  /** The input as a stream. Cancelling it aborts the connection. */
  readonly readable: ReadableStream<Uint8Array>;
  /** The output as a stream. Closing it half-closes, and aborting it aborts. */
  readonly writable: WritableStream<Uint8Array>;
  /**
   * Reads the next bytes, of which there may be any number. While nobody reads,
   * the peer is held back. One read may be under way at a time.
   *
   * @returns the bytes, which belong to the caller; null at the end
   * @throws {TcpmuxError} rejects with `connection_reset` where the connection
   * broke, with `closed` where it was closed here, or with the error that
   * `interrupt` was given
   */
  read(): Promise<Uint8Array | null>;
  /**
   * Ends the read that is under way, which rejects with `error`. The connection
   * stays open, and loses no byte; without such a read nothing happens.
   */
  interrupt(error: Error): void;
  /**
   * Writes all of the bytes, after those of earlier writes. They must not change
   * until it resolves.
   *
   * @returns resolves when the system has taken them: awaiting it is what holds
   * a fast sender back
   * @throws {TcpmuxError} rejects with `broken_pipe` where the peer takes no
   * more, `connection_reset` where the connection broke, or `closed` where it
   * was closed here
   */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Ends our side after what was written (half-close); reading goes on. Calling
   * it again does nothing.
   *
   * @throws {TcpmuxError} rejects as `write` does, if not all of it could be
   * written
   */
  closeWrite(): Promise<void>;
  /**
   * Closes the connection once everything is written; unread input is dropped.
   * Calling it again does nothing.
   */
  close(): void;
  /** Closes it at once, by a reset where the runtime can send one. */
  abort(): void;
  /**
   * Whether the other end is still there, as far as the system knows. Once the
   * input has ended, no runtime notices a reset by itself.
   */
  isAlive(): Promise<boolean>;
  /**
   * The input until it ends. A loop that is left early leaves the connection
   * open: reading may go on.
   *
   * @throws {TcpmuxError} as `read` does
   */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void>;
}

/**
 * A connection that passes all calls on to another one: for service functions,
 * and for subclasses that do a few things differently.
 */
export class WrappedConn<Inner extends Conn = Conn>
  implements Conn, StreamConn {
  protected readonly inner: Inner;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  constructor(inner: Inner) {
    this.inner = inner;
  }

  get local(): Endpoint {
    return this.inner.local;
  }

  get remote(): Endpoint {
    return this.inner.remote;
  }

  get end(): undefined | null | Error {
    return this.inner.end;
  }

  get waiting(): boolean {
    return this.inner.waiting;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (let bytes; (bytes = await this.read()) !== null;) yield bytes;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  get readable(): ReadableStream<Uint8Array> {
    return this.#readable ??= new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const bytes = await this.read();
        if (bytes === null) controller.close();
        else controller.enqueue(bytes);
      },
      cancel: () => this.abort(),
    }, { highWaterMark: 0 }); // do not read ahead
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= new WritableStream<Uint8Array>({
      write: (bytes) => this.write(bytes),
      close: () => this.closeWrite(),
      abort: () => this.abort(),
    });
  }

  read(): Promise<Uint8Array | null> {
    return this.inner.read();
  }

  interrupt(error: Error): void {
    this.inner.interrupt(error);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.inner.write(bytes);
  }

  countTaken(): void {
    this.inner.countTaken?.();
  }

  closeWrite(): Promise<void> {
    return this.inner.closeWrite();
  }

  close(): void {
    this.inner.close();
  }

  abort(): void {
    this.inner.abort();
  }

  isAlive(): Promise<boolean> {
    return this.inner.isAlive();
  }
}
