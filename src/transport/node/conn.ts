/** Connections on Node: https://nodejs.org/api/net.html */
import type { OnReadOpts } from "node:net";
import type { Peer } from "../../endpoint.ts";
import type { TimerList } from "../../timers.ts";
import type { Buffers } from "../buffers.ts";
import { NetConn, type QuietSocket } from "../net/conn.ts";
import type { Detached } from "../transport.ts";
import { detachSocket, resetNow, unsentBytes } from "./internals.ts";

/**
 * The buffers that one socket reads into, and that are used again. The stream
 * by itself makes a new one of 64 KiB for every read, which halves its speed.
 */
export class Reads {
  conn: NodeConn | undefined;
  isPaused = false;
  readonly #buffers: Buffers;
  #buffer: Uint8Array;
  /** The buffer of the last read, while a sink still writes from it. */
  #lent: Uint8Array | undefined;
  #count = 0;

  constructor(buffers: Buffers) {
    this.#buffers = buffers;
    this.#buffer = buffers.take();
  }

  /** For the options of the socket. */
  readonly onread: OnReadOpts = {
    /** Node calls it at first, and after each read. */
    buffer: () => {
      if (this.#lent !== undefined) this.#buffer = this.#buffers.take();
      else if (this.#count > 0) {
        this.#buffer = this.#buffers.fitting(this.#buffer, this.#count);
      }
      return this.#buffer;
    },
    /** @returns whether to read on */
    callback: (count, buffer) => {
      this.#count = count;
      const bytes = buffer.subarray(0, count);
      if (this.conn!.arrived(bytes, true)) this.#lent = buffer;
      return !this.isPaused;
    },
  };

  giveBack(): void {
    if (this.#lent !== undefined) this.#buffers.putBack(this.#lent);
    this.#lent = undefined;
  }

  /** The socket is closed, though it may still write from what is lent. */
  end(): void {
    this.#buffers.putBack(this.#buffer);
    if (this.#lent !== undefined) this.#buffers.giveUp(this.#lent);
    this.#lent = undefined;
  }
}

export class NodeConn extends NetConn {
  readonly #reads: Reads;

  constructor(
    socket: QuietSocket,
    ends: Peer,
    timers: TimerList,
    reads: Reads,
  ) {
    super(socket, ends, timers);
    this.#reads = reads;
    reads.conn = this;
  }

  override closed(): void {
    super.closed();
    this.#reads.end();
  }

  protected override pauseInput(): void {
    this.#reads.isPaused = true;
  }

  protected override resumeInput(): void {
    this.#reads.isPaused = false;
    this.#reads.giveBack();
    this.socket.resume();
  }

  override write(bytes: Uint8Array): Promise<void> {
    const { socket } = this;
    if (socket.writable && socket.writableLength === 0) {
      socket.write(bytes);
      // A write that the system takes at once needs no promise of its own.
      if (socket.writableLength === 0 && socket.writeError === undefined) {
        return DONE;
      }
      return super.write(NOTHING);
    }
    return super.write(bytes);
  }

  /** Node tells of a write only when the system has taken all of it. */
  countTaken(): void {
    const left = unsentBytes(this.socket);
    // Of 0, `wrote` tells, with all that is to be done then.
    if (left > 0) this.queued(left);
  }

  /** For `ProcessConn.endInput`, where this is the output of a program. */
  endInput(): boolean {
    return this.endIfAwaited();
  }

  detach(): Detached | undefined {
    if (!this.isIdle || this.socket.writeError !== undefined) return undefined;
    const detached = detachSocket(this.socket);
    if (detached === undefined) return undefined;
    this.pause();
    return { ...detached, resume: () => this };
  }

  protected override reset(): void {
    resetNow(this.socket);
  }
}

const DONE = Promise.resolve();
const NOTHING = new Uint8Array(0);
