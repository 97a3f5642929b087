import { connect, type OnReadOpts, type Socket } from "node:net";
import { type Endpoint, formatEndpoint, unmapped } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { withDeadline } from "./deadline.ts";
import { closedHere, fromSystem } from "./errno.ts";
import { Inbox, type Source } from "./inbox.ts";
import { NetCarrier } from "./net_carrier.ts";
import { detachSocket } from "./node_detach.ts";
import type { NodeReads } from "./node_reads.ts";
import { StreamConn } from "./stream_conn.ts";
import type {
  Carried,
  Conn,
  ConnectOptions,
  Detached,
  Moved,
} from "./transport.ts";

/** Milliseconds of silence before TCP asks whether the peer still lives. */
export const KEEP_ALIVE_DELAY = 60_000;

/** A connection over a socket of `node:net`. */
export class NetConn extends StreamConn {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  #socket: Socket;
  #inbox: Inbox;
  #closed = false;
  #writeError: Error | undefined;

  /** @param reads how it reads, where not by the stream's own way */
  constructor(
    socket: Socket,
    local: Endpoint,
    remote: Endpoint,
    reads?: NodeReads,
  ) {
    super();
    this.#socket = socket;
    this.local = local;
    this.remote = remote;
    // Reading starts at once: on Bun a failed write closes the socket, and
    // what was not read before is lost.
    this.#inbox = new Inbox(reads ?? sourceOf(socket));
    if (reads !== undefined) reads.pourInto(socket, this.#inbox);
    else socket.on("data", (bytes: Uint8Array) => this.#inbox.push(bytes));
    socket.on("end", () => this.#inbox.end());
    socket.on("error", (error) => {
      this.#inbox.fail(fromSystem(error, "cannot read"));
    });
    socket.on("close", () => {
      if (!this.#inbox.over) this.#inbox.fail(closedHere());
    });
    socket.resume();
    keepReadableWhenWritesFail(socket, (error) => this.#writeError ??= error);
  }

  read(): Promise<Uint8Array | null> {
    return this.#inbox.read();
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (streamError) => {
        const error = this.#writeError ?? streamError;
        if (error) reject(fromSystem(error, "cannot write"));
        else resolve();
      });
    });
  }

  carryTo(sink: Conn, moved: Moved): Promise<Carried> | undefined {
    if (!(sink instanceof NetConn)) return undefined;
    return new Promise((resolve, reject) => {
      this.#inbox.pourInto(
        new NetCarrier(this.#inbox, sink.#socket, {
          moved,
          resolve,
          reject,
          whyBroken: () => sink.#writeError,
        }),
      );
    });
  }

  detach(): Detached | undefined {
    if (!this.#inbox.isIdle || this.#writeError !== undefined) return undefined;
    const detached = detachSocket(this.#socket);
    if (detached !== undefined) this.#letGo();
    return detached;
  }

  closeWrite(): Promise<void> {
    if (this.#socket.destroyed) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#socket.end((error?: Error | null) => {
        if (error && !hasEnded(error)) reject(fromSystem(error, "cannot end"));
        else resolve();
      });
    });
  }

  close(): void {
    this.#letGo();
    this.#socket.destroySoon();
  }

  abort(): void {
    this.#letGo();
    resetNow(this.#socket);
  }

  #letGo(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#inbox.close();
  }
}

function sourceOf(socket: Socket): Source {
  return { pause: () => socket.pause(), resume: () => socket.resume() };
}

/**
 * `resetAndDestroy()` first waits for pending writes, for ever if the peer
 * does not read, and leaks its handle when the peer resets meanwhile. What it
 * sets is all that is needed, unless the end of our side is just being sent:
 * the system then refuses to reset.
 */
function resetNow(socket: Socket & { resetAndClosing?: boolean }): void {
  const isTcp = socket.remoteFamily !== undefined;
  const isEnding = socket.writableEnded && !socket.writableFinished &&
    socket.writableLength === 0;
  if (isTcp && !isEnding && !socket.destroyed) socket.resetAndClosing = true;
  socket.destroy();
}

type Written = (error?: Error | null) => void;

/**
 * A stream of Node's destroys itself when a write fails, and what the peer
 * had sent before it went is lost unread. So the stream never hears of the
 * failure: `failed` does, and the stream lives until it is read to its end.
 */
function keepReadableWhenWritesFail(
  socket: Socket,
  failed: (error: Error) => void,
): void {
  const quietly = (done: Written): Written => (error) => {
    if (error) failed(error);
    done();
  };
  const write = socket._write;
  socket._write = (chunk, encoding, done) =>
    write.call(socket, chunk, encoding, quietly(done));
  const writev = socket._writev;
  if (writev === undefined) return;
  socket._writev = (chunks, done) => writev.call(socket, chunks, quietly(done));
}

/** Ending what has ended already is no failure. */
function hasEnded(error: Error): boolean {
  const { code } = error as { code?: string };
  return code === "ERR_STREAM_ALREADY_FINISHED" ||
    code === "ERR_STREAM_DESTROYED";
}

/** Both ends of a connected socket; undefined where the peer is gone again. */
export function endsOf(
  socket: Socket,
): { local: Endpoint; remote: Endpoint } | undefined {
  const { remoteAddress, remotePort, localAddress, localPort } = socket;
  if (remoteAddress === undefined || localAddress === undefined) return;
  return {
    local: tcpEnd(localAddress, localPort ?? 0),
    remote: tcpEnd(remoteAddress, remotePort ?? 0),
  };
}

export function tcpEnd(address: string, port: number): Endpoint {
  return { transport: "tcp", host: unmapped(address), port };
}

/** The nameless end of a Unix socket. */
export const UNNAMED: Endpoint = { transport: "unix", path: "" };

/** Makes a connection of a socket that has just been connected. */
type Wrap = (socket: Socket, local: Endpoint, remote: Endpoint) => Conn;

/** `Transport.connect` by `node:net`. */
export function netConnect(
  endpoint: Endpoint,
  options: ConnectOptions = {},
  wrap: Wrap = (socket, local, remote) => new NetConn(socket, local, remote),
  onread?: OnReadOpts,
): Promise<Conn> {
  const what = `cannot connect to ${formatEndpoint(endpoint)}`;
  return withDeadline(
    what,
    options,
    (signal) =>
      new Promise((resolve, reject) => {
        const socket = connect({
          ...(endpoint.transport === "unix"
            ? { path: endpoint.path }
            : { host: endpoint.host, port: endpoint.port }),
          allowHalfOpen: true,
          noDelay: true,
          keepAlive: true,
          keepAliveInitialDelay: KEEP_ALIVE_DELAY,
          ...(onread === undefined ? {} : { onread }),
        });
        const cancel = () => {
          socket.destroy();
          reject(signal.reason);
        };
        const fail = (error: Error) => {
          signal.removeEventListener("abort", cancel);
          reject(
            fromSystem(error, what, { address: formatEndpoint(endpoint) }),
          );
        };
        signal.addEventListener("abort", cancel);
        socket.on("error", fail); // stays: a late error must not be unhandled
        socket.once("connect", () => {
          signal.removeEventListener("abort", cancel);
          const ends = endpoint.transport === "unix"
            ? { local: UNNAMED, remote: endpoint }
            : endsOf(socket);
          if (ends === undefined) {
            socket.destroy();
            reject(
              new TcpmuxError("connection_reset", `${what}: reset at once`),
            );
          } else {
            socket.off("error", fail);
            resolve(wrap(socket, ends.local, ends.remote));
          }
        });
      }),
  );
}
