import { Buffer } from "node:buffer";
import { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { TlsFacts } from "../../../endpoint.ts";
import { codeOf, TcpmuxError } from "../../../errors.ts";
import { closedHere, fromSystem } from "../../errno.ts";
import { PushedConn } from "../../pushed_conn.ts";
import type { Conn } from "../../transport.ts";
import { NetConn, type QuietSocket } from "../conn.ts";

/** A connection inside TLS. */
export class TlsConn extends PushedConn {
  readonly tls: TlsFacts;
  readonly #socket: TLSSocket;
  /** The connection that its records go by. */
  readonly #outer: Conn;
  /** Undefined where the TLS socket itself can be paused. */
  readonly #records: RecordStream | undefined;
  /** Of the writes under way: on Bun, destroying the stream ends none. */
  readonly #failing = new Set<(error: Error) => void>();
  readonly #explain: (error: Error) => Error;

  /**
   * @param stream what stands between the socket and the connection
   * @param explain makes one of our errors of one that breaks it
   */
  constructor(
    socket: TLSSocket,
    outer: Conn,
    stream: Outer,
    tls: TlsFacts,
    explain: (error: Error) => Error = broken,
  ) {
    super(outer);
    this.#explain = explain;
    this.#socket = socket;
    this.#outer = outer;
    this.#records = stream instanceof RecordStream ? stream : undefined;
    this.tls = tls;
    socket.on("data", (bytes: Uint8Array) => this.arrived(bytes));
    socket.on("end", () => this.over(null));
    socket.on("error", (error) => this.#broke(error));
    socket.on("close", () => this.#closed());
  }

  #broke(error: Error): void {
    this.over(this.#explain(error));
  }

  #closed(): void {
    if (this.end === undefined) this.over(closedHere());
    this.#fail();
  }

  #fail(): void {
    for (const reject of this.#failing) reject(this.#writeFailure());
    this.#failing.clear();
  }

  protected pauseInput(): void {
    if (this.#records !== undefined) this.#records.pauseInput();
    else this.#socket.pause();
  }

  protected resumeInput(): void {
    if (this.#records !== undefined) this.#records.resumeInput();
    else this.#socket.resume();
  }

  write(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket;
    if (this.isDropped || !socket.writable) {
      return Promise.reject(this.#writeFailure());
    }
    // TLS has nothing to send then, and on Deno such a write fails.
    if (bytes.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#failing.add(reject);
      socket.write(bytes, (error) => {
        this.#failing.delete(reject);
        // A stream that is destroyed reports a write under way as a success.
        if (error || socket.destroyed) reject(this.#writeFailure(error));
        else resolve();
      });
    });
  }

  /** Why nothing can be written any more. */
  #writeFailure(error?: Error | null): Error {
    if (this.isDropped) return closedHere();
    if (this.end instanceof Error) return this.end;
    if (this.#socket.writableEnded) return closedHere();
    return error
      ? broken(error, "cannot write")
      : fromSystem({ code: "EPIPE" }, "cannot write");
  }

  closeWrite(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once("close", resolve);
      socket.end(() => resolve());
    });
  }

  /** Also to who has ended before: without close_notify it looks cut off. */
  close(): void {
    this.drop();
    this.#socket.destroySoon();
  }

  abort(): void {
    this.drop();
    this.#fail();
    this.#socket.destroy();
    this.#outer.abort();
  }

  /** TLS sends nothing for an empty write, so nobody asks the system. */
  isAlive(): Promise<boolean> {
    return Promise.resolve(!this.#socket.destroyed && !this.isDropped);
  }
}

/** What a peer does against the rules of TLS is a break by this peer. */
function broken(
  error: Error & { reason?: string },
  what = "cannot read",
): Error {
  const known = fromSystem(error, what);
  if (codeOf(known) !== "failed") return known;
  const why = `TLS has failed: ${error.reason ?? error.message}`;
  return new TcpmuxError("connection_reset", why, { cause: error });
}

type Done = (error?: Error | null) => void;

/** What a TLS socket is put upon. */
type Outer = QuietSocket | RecordStream;

/**
 * What TLS goes on with: the socket of a connection, or a stream of its bytes.
 *
 * @param read bytes that were read of it already
 */
export function outerOf(conn: Conn, read: Uint8Array): Outer {
  if ("Deno" in globalThis) return new RecordStream(conn, read);
  if (conn instanceof NetConn) return conn.handOver(read);
  throw new TcpmuxError("unsupported", "TLS goes only over sockets");
}

/**
 * A connection as a stream of TLS records, for Deno: a TLS socket of Deno's that
 * was paused never tells its end. So that is not paused, and gets no records
 * instead while nobody reads.
 */
class RecordStream extends Duplex {
  readonly #conn: Conn;
  /** Records that the stream begins with. */
  #first: Uint8Array | undefined;
  #isWanted = false;
  #isHeld = false;
  #isReading = false;

  constructor(conn: Conn, first: Uint8Array) {
    super({ allowHalfOpen: true });
    this.#conn = conn;
    this.#first = first.length > 0 ? first : undefined;
  }

  /** Gives no more records until `resumeInput`. */
  pauseInput(): void {
    this.#isHeld = true;
  }

  resumeInput(): void {
    this.#isHeld = false;
    this.#go();
  }

  override _read(): void {
    this.#isWanted = true;
    this.#go();
  }

  async #go(): Promise<void> {
    if (this.#isReading || this.#isHeld || !this.#isWanted) return;
    this.#isReading = true;
    try {
      const first = this.#first;
      this.#first = undefined;
      const bytes = first ?? await this.#conn.read();
      this.#isWanted = false;
      this.#isReading = false;
      this.push(bytes === null ? null : Buffer.from(bytes));
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  override _write(bytes: Uint8Array, _: string, done: Done): void {
    this.#conn.write(bytes).then(() => done(), done);
  }

  override _final(done: Done): void {
    this.#conn.closeWrite().then(() => done(), done);
  }

  override _destroy(error: Error | null, done: Done): void {
    if (error === null) this.#conn.close();
    else this.#conn.abort();
    done(error);
  }
}
