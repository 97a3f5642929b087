import type { Endpoint } from "../endpoint.ts";
import type { Conn } from "./transport.ts";

/**
 * A connection that can also be iterated over, used as Web Streams, and closed
 * by `await using`. Its bytes come by `read`, by iteration or by `readable`,
 * and go either by `write` or by `writable`.
 */
export class StreamConn
  implements Conn, AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly #conn: Conn;
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  get local(): Endpoint {
    return this.#conn.local;
  }

  get remote(): Endpoint {
    return this.#conn.remote;
  }

  get end(): undefined | null | Error {
    return this.#conn.end;
  }

  get waiting(): boolean {
    return this.#conn.waiting;
  }

  /**
   * The input until it ends. A loop that is left early leaves the connection
   * open: reading may go on.
   *
   * @throws as {@linkcode Conn.read} does
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (let bytes; (bytes = await this.read()) !== null;) yield bytes;
  }

  /** Closes the connection, as {@linkcode Conn.close} does. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** The input. Cancelling it aborts the connection. */
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

  /** The output. Closing it half-closes, and aborting it aborts. */
  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= new WritableStream<Uint8Array>({
      write: (bytes) => this.write(bytes),
      close: () => this.closeWrite(),
      abort: () => this.abort(),
    });
  }

  read(): Promise<Uint8Array | null> {
    return this.#conn.read();
  }

  interrupt(error: Error): void {
    this.#conn.interrupt(error);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#conn.write(bytes);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
  }

  abort(): void {
    this.#conn.abort();
  }

  isAlive(): Promise<boolean> {
    return this.#conn.isAlive();
  }
}
