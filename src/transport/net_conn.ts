import type { Socket } from "node:net";
import { type Endpoint, unmapped } from "../endpoint.ts";
import type { Timeout } from "../timers.ts";
import { closedHere, fromSystem } from "./errno.ts";
import { Inbox, type Source } from "./inbox.ts";
import { keepAlive, worthKeepingAlive } from "./keep_alive.ts";
import { type OutletConn, pour } from "./net_carrier.ts";
import { detachSocket } from "./node_detach.ts";
import type { NodeReads } from "./node_reads.ts";
import { QuietSocket, type SocketListener } from "./quiet_socket.ts";
import type { Reader } from "./reader.ts";
import { StreamConn } from "./stream_conn.ts";
import type { Carriage, Conn, Detached, ProgramStdio } from "./transport.ts";

/** A connection over a socket of `node:net`. */
export class NetConn extends StreamConn
  implements OutletConn, ProgramStdio, SocketListener {
  readonly remote: Endpoint;
  #local: Endpoint | undefined;
  #socket: QuietSocket;
  #inbox: Inbox;
  #closed = false;
  #hasEnded = false;
  /** Until it has lived for a moment. */
  #young: Timeout | undefined;

  /**
   * @param local found out when it is asked for, if it is not known
   * @param reads how it reads, where not by the stream's own way
   */
  constructor(
    socket: QuietSocket,
    local: Endpoint | undefined,
    remote: Endpoint,
    reads?: NodeReads,
  ) {
    super();
    this.#socket = socket;
    this.#local = local;
    this.remote = remote;
    // Reading starts at once: on Bun a failed write closes the socket, and
    // what was not read before is lost.
    this.#inbox = new Inbox(reads ?? sourceOf(socket));
    if (reads !== undefined) reads.pourInto(socket, this.#inbox);
    else socket.flow();
    socket.tell(this);
    if (remote.transport === "tcp") this.#young = worthKeepingAlive(this);
    socket.resume();
  }

  arrived(bytes: Uint8Array): void {
    this.#inbox.push(bytes);
  }

  ended(): void {
    this.#hasEnded = true;
    this.#inbox.end();
  }

  broke(error: Error): void {
    this.#inbox.fail(fromSystem(error, "cannot read"));
  }

  closed(): void {
    this.#young?.cancel();
    if (!this.#inbox.over) this.#inbox.fail(closedHere());
  }

  /** It has lived for a moment. */
  expired(): void {
    this.#young = undefined;
    keepAlive(this.#socket);
  }

  get local(): Endpoint {
    return this.#local ??= localEnd(this.#socket);
  }

  read(): Promise<Uint8Array | null> {
    return this.#inbox.read();
  }

  readTo(reader: Reader): void {
    this.#inbox.readTo(reader);
  }

  endRead(): boolean {
    return this.#inbox.endIfAwaited();
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (streamError) => {
        const error = this.#socket.writeError ?? streamError;
        if (error) reject(fromSystem(error, "cannot write"));
        else resolve();
      });
    });
  }

  carryTo(sink: Conn, carriage: Carriage): boolean {
    return pour(this.#inbox, sink, carriage);
  }

  get outlet(): QuietSocket {
    return this.#socket;
  }

  detach(): Detached | undefined {
    if (!this.#inbox.isIdle || this.#socket.writeError !== undefined) {
      return undefined;
    }
    const detached = detachSocket(this.#socket);
    if (detached === undefined) return undefined;
    if (this.#young?.cancel()) keepAlive(this.#socket); // that or never
    this.#letGo();
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
    // With nothing to write or to read any more, closing is an end as well.
    const { writableLength } = this.#socket;
    if (this.#hasEnded && writableLength === 0) this.#socket.destroy();
    else this.#socket.destroySoon();
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

/** Ending what has ended already is no failure. */
function hasEnded(error: Error): boolean {
  const { code } = error as { code?: string };
  return code === "ERR_STREAM_ALREADY_FINISHED" ||
    code === "ERR_STREAM_DESTROYED";
}

/** The other end of an accepted socket; undefined where it is gone again. */
export function remoteEnd(socket: Socket): Endpoint | undefined {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined) return undefined;
  return tcpEnd(remoteAddress, remotePort ?? 0);
}

/** Where a socket is on this side: one call of the system. */
export function localEnd(
  { localAddress, localPort }: Pick<Socket, "localAddress" | "localPort">,
): Endpoint {
  return localAddress === undefined
    ? UNNAMED
    : tcpEnd(localAddress, localPort ?? 0);
}

/** Whether all connections of a listener come in at one and the same address. */
export function isOneAddress(endpoint: Endpoint): boolean {
  return endpoint.transport === "unix" ||
    !["0.0.0.0", "::"].includes(endpoint.host);
}

export function tcpEnd(address: string, port: number): Endpoint {
  return { transport: "tcp", host: unmapped(address), port };
}

/** The nameless end of a Unix socket. */
export const UNNAMED: Endpoint = { transport: "unix", path: "" };
