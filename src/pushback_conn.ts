import type { Endpoint } from "./endpoint.ts";
import { type Reader, tell } from "./transport/reader.ts";
import { StreamConn } from "./transport/stream_conn.ts";
import type {
  Carriage,
  Conn,
  Detached,
  Intake,
} from "./transport/transport.ts";

/** A connection that takes back what was read too much of it. */
export class PushbackConn extends StreamConn {
  #conn: Conn;
  #leftover: Uint8Array | undefined;
  #unwanted: number | undefined;

  constructor(conn: Conn) {
    super();
    this.#conn = conn;
  }

  get local(): Endpoint {
    return this.#conn.local;
  }

  get remote(): Endpoint {
    return this.#conn.remote;
  }

  /** The next read returns these. */
  unread(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#leftover = bytes;
  }

  /** Drops the next byte if it is this one, whenever it comes. */
  dropNext(byte: number): void {
    this.#unwanted = byte;
  }

  read(): Promise<Uint8Array | null> {
    return this.#readNext();
  }

  readTo(reader: Reader): void {
    if (this.#hasEarly || this.#conn.readTo === undefined) {
      tell(this.#readNext(), reader);
    } else this.#conn.readTo(reader);
  }

  /** As `read`, which a connection of this kind may have in its own way. */
  #readNext(): Promise<Uint8Array | null> {
    const unwanted = this.#unwanted;
    if (unwanted === undefined) return this.#readOwn();
    this.#unwanted = undefined;
    return this.#readWithout(unwanted);
  }

  async #readWithout(unwanted: number): Promise<Uint8Array | null> {
    const bytes = await this.#readOwn();
    if (bytes?.[0] !== unwanted) return bytes;
    return bytes.length > 1 ? bytes.subarray(1) : await this.#readOwn();
  }

  /** First what was read too much, then the rest. */
  #readOwn(): Promise<Uint8Array | null> {
    const leftover = this.#leftover;
    if (leftover === undefined) return this.#conn.read();
    this.#leftover = undefined;
    return Promise.resolve(leftover);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#conn.write(bytes);
  }

  /** What was read too much is given back first, by `read`. */
  carryTo(sink: Conn, carriage: Carriage): boolean {
    return !this.#hasEarly && this.#conn.carryTo?.(sink, carriage) === true;
  }

  detach(): Detached | undefined {
    return this.#hasEarly ? undefined : this.#conn.detach?.();
  }

  get #hasEarly(): boolean {
    return this.#leftover !== undefined || this.#unwanted !== undefined;
  }

  intake(): Intake {
    return this.#conn.intake?.() ?? { conn: this.#conn, meter: undefined };
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
}
