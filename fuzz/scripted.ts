import type { Endpoint } from "../src/endpoint.ts";
import { StreamConn } from "../src/transport/stream_conn.ts";
import type { Conn, Transport } from "../src/transport/transport.ts";

const END: Endpoint = { transport: "tcp", host: "192.0.2.1", port: 1 };

/** A peer that says these pieces, whatever it is told, and ends its side. */
export class Scripted extends StreamConn {
  readonly local = END;
  readonly remote = END;
  /** What it was told. */
  readonly written: Uint8Array[] = [];
  #pieces: readonly Uint8Array[];
  #next = 0;

  constructor(pieces: readonly Uint8Array[]) {
    super();
    this.#pieces = pieces;
  }

  /** How many pieces have been read. */
  get taken(): number {
    return this.#next;
  }

  read(): Promise<Uint8Array | null> {
    return Promise.resolve(this.#pieces[this.#next++] ?? null);
  }

  write(bytes: Uint8Array): Promise<void> {
    this.written.push(bytes);
    return Promise.resolve();
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
  abort(): void {}
}

/** A world in which every connection leads to this one. */
export function leadingTo(conn: Conn): Transport {
  const never = () => Promise.reject(new Error("nobody asks for that here"));
  return {
    name: "memory",
    abilities: {
      reset: true,
      programs: false,
      socketStdio: false,
      unix: false,
    },
    listen: never,
    connect: () => Promise.resolve(conn),
    spawn: never,
    stdio: () => conn,
  };
}
