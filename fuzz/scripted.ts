import type { Endpoint } from "../src/endpoint.ts";
import { TimerList } from "../src/timers.ts";
import type { Conn, Transport } from "../src/transport/transport.ts";

const END: Endpoint = { transport: "tcp", host: "192.0.2.1", port: 1 };

/** A peer that says these pieces, whatever it is told, and ends its side. */
export class Scripted implements Conn {
  readonly local = END;
  readonly remote = END;
  readonly end = undefined;
  readonly waiting = false;
  /** What it was told. */
  readonly written: Uint8Array[] = [];
  #pieces: readonly Uint8Array[];
  #next = 0;

  constructor(pieces: readonly Uint8Array[]) {
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

  isAlive(): Promise<boolean> {
    return Promise.resolve(true);
  }

  interrupt(): void {}
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
      folderEvents: false,
      unix: false,
    },
    timers: new TimerList(),
    lookup: never,
    listen: never,
    connect: () => ({ conn: Promise.resolve(conn), abort() {} }),
    spawn: never,
    output: () => ({ write: never }),
    stdio: () => conn,
  };
}
