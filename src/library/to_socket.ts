/** A connection as Node's libraries take one: a Duplex with a socket's members. */
import { type AddressInfo, isIP, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { setTimeout } from "node:timers";
import type { Endpoint } from "../endpoint.ts";
import { type ErrorCode, TcpmuxError } from "../errors.ts";
import type { StreamConn } from "../transport/stream_conn.ts";

/** How {@linkcode toSocket} makes a socket. */
export interface ToSocketOptions {
  /**
   * Whether our side stays open when the other has ended, as for `net.Socket`.
   * @default false: it is ended then
   */
  allowHalfOpen?: boolean;
}

/**
 * A connection as a `net.Socket`, for libraries of Node that take one: an HTTP
 * server or agent, and clients of databases. It works on Deno and Bun as well.
 *
 * It is a Duplex with what such libraries use of a socket: the addresses of
 * both ends, `setTimeout`, `destroySoon`, `resetAndDestroy`, the counts of
 * bytes and the events `connect`, `timeout` and `close`. `setKeepAlive`,
 * `setNoDelay`, `ref` and `unref` can be called and change nothing. The
 * connection belongs to the socket from now on, which closes it.
 *
 * A failure of the connection destroys the socket with an error whose `code` is
 * that of the system, such as `ECONNRESET`, and whose `cause` is the
 * {@linkcode TcpmuxError}.
 *
 * @param conn a connection, or one that is being opened: the socket is
 * `connecting` until then, and what is written to it waits
 * @param options how the socket ends; by default as a `net.Socket`
 * @returns the socket; it throws nothing, and reports what fails by `error`
 *
 * @example
 * ```ts
 * import { createServer, get } from "node:http";
 * import { connect, serve, toSocket } from "./mod.ts";
 *
 * const web = createServer((_, response) => response.end("Hello\n"));
 * const server = await serve({
 *   server: { listen: "127.0.0.1:0" },
 *   services: {
 *     web: (conn) => {
 *       const socket = toSocket(conn);
 *       web.emit("connection", socket);
 *       return new Promise((resolve) => socket.once("close", () => resolve()));
 *     },
 *   },
 * });
 * const createConnection = () => toSocket(connect(server.addresses[0]!, "web"));
 * get({ createConnection }, async (response) => {
 *   for await (const text of response.setEncoding("utf8")) console.log(text);
 *   await server.close();
 * });
 * ```
 */
export function toSocket(
  conn: StreamConn | Promise<StreamConn>,
  options: ToSocketOptions = {},
): Socket {
  // Not all members of a socket: those that a connection can have.
  return new ConnSocket(conn, options) as unknown as Socket;
}

class ConnSocket extends Duplex {
  bytesRead = 0;
  bytesWritten = 0;
  /** Milliseconds without a byte until the event `timeout`. */
  timeout: number | undefined = undefined;
  readonly #ready: Promise<StreamConn>;
  #conn: StreamConn | undefined = undefined;
  #timer: ReturnType<typeof setTimeout> | undefined = undefined;
  #isReading = false;
  #isReset = false;

  constructor(
    conn: StreamConn | Promise<StreamConn>,
    { allowHalfOpen = false }: ToSocketOptions,
  ) {
    super({ allowHalfOpen });
    this.#ready = Promise.resolve(conn);
    if ("then" in conn) {
      conn.then((conn) => this.#opened(conn), (error) => this.#fail(error));
    } else {
      this.#conn = conn;
      this.read(0); // as a net.Socket, which notices an end that nobody reads
    }
  }

  #opened(conn: StreamConn): void {
    if (this.destroyed) return conn.abort();
    this.#conn = conn;
    this.read(0);
    this.emit("connect");
    this.emit("ready");
  }

  #fail(error: unknown): void {
    this.destroy(systemError(error));
  }

  get connecting(): boolean {
    return this.#conn === undefined && !this.destroyed;
  }

  get pending(): boolean {
    return this.#conn === undefined;
  }

  get readyState(): Socket["readyState"] {
    if (this.connecting) return "opening";
    if (this.readable) return this.writable ? "open" : "readOnly";
    return this.writable ? "writeOnly" : "closed";
  }

  get remoteAddress(): string | undefined {
    return tcp(this.#conn?.remote)?.host;
  }

  get remotePort(): number | undefined {
    return tcp(this.#conn?.remote)?.port;
  }

  get remoteFamily(): string | undefined {
    return familyName(this.#conn?.remote);
  }

  get localAddress(): string | undefined {
    return tcp(this.#conn?.local)?.host;
  }

  get localPort(): number | undefined {
    return tcp(this.#conn?.local)?.port;
  }

  get localFamily(): string | undefined {
    return familyName(this.#conn?.local);
  }

  address(): AddressInfo | Record<string, never> {
    const { localAddress: address, localPort: port, localFamily: family } =
      this;
    return address === undefined
      ? {}
      : { address, port: port!, family: family! };
  }

  /** For clients that call it on a new socket: it is connected already. */
  connect(): this {
    if (!this.connecting) {
      this.#ready.then(() => this.destroyed || this.emit("connect"));
    }
    return this;
  }

  setTimeout(milliseconds: number, listener?: () => void): this {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.timeout = milliseconds;
    if (milliseconds > 0 && !this.destroyed) {
      this.#timer = setTimeout(() => this.emit("timeout"), milliseconds);
      this.#timer.unref(); // as that of a net.Socket
      if (listener !== undefined) this.once("timeout", listener);
    } else if (listener !== undefined) this.off("timeout", listener);
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }

  resetAndDestroy(): this {
    this.#isReset = true;
    return this.destroy();
  }

  override _read(): void {
    if (this.#isReading) return;
    this.#isReading = true;
    this.#ready.then((conn) => conn.read()).then(
      (bytes) => {
        this.#isReading = false;
        this.#timer?.refresh();
        this.bytesRead += bytes?.length ?? 0;
        this.push(bytes);
      },
      (error) => this.#fail(error),
    );
  }

  override _write(
    bytes: Uint8Array,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
    this.#ready.then((conn) => conn.write(bytes)).then(
      () => {
        this.#timer?.refresh();
        this.bytesWritten += bytes.length;
        done();
      },
      (error) => done(systemError(error)),
    );
  }

  /** All that waits goes out as one. */
  override _writev(
    waiting: readonly { readonly chunk: Uint8Array }[],
    done: (error?: Error | null) => void,
  ): void {
    const chunks = waiting.map(({ chunk }) => chunk);
    this._write(Buffer.concat(chunks), "buffer", done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#ready.then((conn) => conn.closeWrite()).then(
      () => done(),
      (error) => done(systemError(error)),
    );
  }

  /** What was written arrives, unless something is left that was not. */
  override _destroy(
    error: Error | null,
    done: (error?: Error | null) => void,
  ): void {
    clearTimeout(this.#timer);
    const isWhole = error === null && this.writableLength === 0;
    if (isWhole && !this.#isReset) this.#conn?.close();
    else this.#conn?.abort();
    done(error);
  }
}

function tcp(endpoint: Endpoint | undefined) {
  return endpoint?.transport === "tcp" ? endpoint : undefined;
}

function familyName(endpoint: Endpoint | undefined): string | undefined {
  const host = tcp(endpoint)?.host.replace(/%.*/, "");
  return host === undefined ? undefined : `IPv${isIP(host)}`;
}

/** Names by which libraries of Node know what has happened. */
const ERRNO: Partial<Record<ErrorCode, string>> = {
  broken_pipe: "EPIPE",
  cancelled: "ABORT_ERR",
  closed: "ERR_SOCKET_CLOSED",
  connection_refused: "ECONNREFUSED",
  connection_reset: "ECONNRESET",
  host_not_found: "ENOTFOUND",
  permission_denied: "EACCES",
  timed_out: "ETIMEDOUT",
  too_many_files: "EMFILE",
  unreachable: "EHOSTUNREACH",
};

/** The error as a `net.Socket` would have it. */
function systemError(error: unknown): Error {
  if (!(error instanceof TcpmuxError)) return error as Error;
  const code = error.errno ?? ERRNO[error.code] ?? error.code;
  return Object.assign(new Error(error.message, { cause: error }), { code });
}
