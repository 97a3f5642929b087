import type { Endpoint } from "../endpoint.ts";
import type { Conn } from "./transport.ts";

/** Gives every connection its Web Streams, made only when asked for. */
export abstract class StreamConn implements Conn {
  abstract readonly local: Endpoint;
  abstract readonly remote: Endpoint;
  abstract read(): Promise<Uint8Array | null>;
  abstract write(bytes: Uint8Array): Promise<void>;
  abstract closeWrite(): Promise<void>;
  abstract close(): void;
  abstract abort(): void;

  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  get readable(): ReadableStream<Uint8Array> {
    return this.#readable ??= new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const bytes = await this.read();
        if (bytes === null) controller.close();
        else controller.enqueue(bytes);
      },
      cancel: () => this.abort(),
    }, { highWaterMark: 0 }); // read nothing that nobody asked for
  }

  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= new WritableStream<Uint8Array>({
      write: (bytes) => this.write(bytes),
      close: () => this.closeWrite(),
      abort: () => this.abort(),
    });
  }
}
