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

  #streams: Streams | undefined;

  get readable(): ReadableStream<Uint8Array> {
    return (this.#streams ??= streamsOf(this)).readable;
  }

  get writable(): WritableStream<Uint8Array> {
    return (this.#streams ??= streamsOf(this)).writable;
  }
}

type Streams = Pick<Conn, "readable" | "writable">;

function streamsOf(conn: StreamConn): Streams {
  return {
    readable: new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        const bytes = await conn.read();
        if (bytes === null) controller.close();
        else controller.enqueue(bytes);
      },
      cancel: () => conn.abort(),
    }, { highWaterMark: 0 }), // read nothing that nobody asked for
    writable: new WritableStream<Uint8Array>({
      write: (bytes) => conn.write(bytes),
      close: () => conn.closeWrite(),
      abort: () => conn.abort(),
    }),
  };
}
