import type { Endpoint, Peer } from "../endpoint.ts";
import { closedHere } from "./errno.ts";
import type { Conn, Pump } from "./transport.ts";

/** Unread bytes at which the peer is held back. */
const MOST_UNREAD = 64 * 1024;

/** The same, where they come in small pieces. */
const MOST_PIECES = 256;

/** A connection that a pipe can end in: no promise for each piece. */
export interface Outlet {
  /**
   * Writes all of the bytes, at once or later.
   *
   * @param bytes the outlet's from now on, which may free their memory
   * @param source told by `took` of what is not written at once
   * @returns how many were written at once
   * @throws {Error} when nothing can be written any more
   */
  pour(bytes: Uint8Array, source: PushedConn): number;
}

type Bytes = Uint8Array | null | Promise<never>;

/** What an idle connection does not have. */
class Backlog {
  /** Bytes that nobody has asked for yet, in the order of their arrival. */
  readonly unread: Uint8Array[] = [];
  unreadBytes = 0;
  /** Bytes of a pipe that its outlet has not written yet. */
  untaken = 0;
  /** Whether what is untaken is of a pipe that was interrupted. */
  isAbandoned = false;
  isPaused = false;

  get hasUnread(): boolean {
    return this.unread.length > 0;
  }

  shift(): Uint8Array | undefined {
    const bytes = this.unread.shift();
    if (bytes !== undefined) this.unreadBytes -= bytes.length;
    return bytes;
  }
}

/**
 * A connection at which its runtime pushes bytes: it keeps what nobody has
 * asked for, up to a bound, or pours it into another connection. Thousands of
 * these are idle at a time, so they are kept small: see bench/NOTES.md.
 */
export abstract class PushedConn implements Conn {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  end: undefined | null | Error = undefined;
  /** Whether nobody reads any more. */
  protected isDropped = false;
  /** Made when a byte has to wait for the first time. */
  #backlog: Backlog | undefined = undefined;
  #reader: ((bytes: Bytes) => void) | undefined = undefined;
  #outlet: Outlet | undefined = undefined;
  #pump: Pump | undefined = undefined;

  constructor({ local, remote }: Peer) {
    this.local = local;
    this.remote = remote;
  }

  abstract write(bytes: Uint8Array): Promise<void>;
  abstract closeWrite(): Promise<void>;
  abstract close(): void;
  abstract abort(): void;
  abstract isAlive(): Promise<boolean>;
  /** Makes the runtime stop pushing. */
  protected abstract pauseInput(): void;
  protected abstract resumeInput(): void;

  get waiting(): boolean {
    const backlog = this.#backlog;
    return backlog !== undefined &&
      (backlog.untaken > 0 || this.#outlet !== undefined && backlog.hasUnread);
  }

  /** Whether no bytes are unread, nobody reads, and more may come. */
  protected get isIdle(): boolean {
    return this.end === undefined && !this.#backlog?.hasUnread &&
      this.#reader === undefined && this.#pump === undefined;
  }

  /**
   * The runtime has pushed bytes.
   *
   * @param isLent whether the runtime uses their memory again; by default they
   * belong to this connection now
   * @returns whether an outlet still writes from that memory
   */
  arrived(bytes: Uint8Array, isLent = false): boolean {
    if (this.end !== undefined || bytes.length === 0) return false;
    const outlet = this.#outlet;
    if (outlet !== undefined && (!this.#backlog || !this.waiting)) {
      this.#pour(bytes, outlet);
      return this.#backlog !== undefined && this.#backlog.untaken > 0;
    }
    const kept = isLent ? bytes.slice() : bytes;
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) reader(kept);
    else this.#keep(kept);
    return false;
  }

  #keep(bytes: Uint8Array): void {
    const backlog = this.#backlog ??= new Backlog();
    backlog.unread.push(bytes);
    backlog.unreadBytes += bytes.length;
    const { length } = backlog.unread;
    if (backlog.unreadBytes >= MOST_UNREAD || length >= MOST_PIECES) {
      this.pause();
    }
  }

  /** The input has ended: null in good order, or the error that broke it. */
  over(end: null | Error): void {
    if (this.end !== undefined) return;
    this.end = end;
    const backlog = this.#backlog;
    if (backlog?.hasUnread) return;
    // A pump is told when its sink has all.
    if (this.#pump === undefined || !backlog?.untaken) this.#giveEnd(end);
  }

  /** For {@linkcode ProcessConn.endInput}. */
  protected endIfAwaited(): boolean {
    const isAwaited = this.#reader !== undefined || this.#pump !== undefined;
    const backlog = this.#backlog;
    if (isAwaited && !backlog?.hasUnread && !backlog?.untaken) this.over(null);
    return this.end !== undefined;
  }

  /** Takes all bytes that nobody has read yet. */
  protected takeUnread(): readonly Uint8Array[] {
    const taken: Uint8Array[] = [];
    for (let bytes; (bytes = this.#backlog?.shift()) !== undefined;) {
      taken.push(bytes);
    }
    return taken;
  }

  /** Nobody will read any more: unread bytes are dropped. */
  protected drop(): void {
    this.isDropped = true;
    const backlog = this.#backlog;
    if (backlog !== undefined) {
      backlog.unread.length = 0;
      backlog.unreadBytes = 0;
    }
    if (this.end === undefined) this.end = closedHere();
    this.#giveEnd(this.end);
  }

  /** Reports the end to whoever waits for bytes. */
  #giveEnd(end: null | Error): void {
    const reader = this.#reader;
    const pump = this.#pump;
    this.#reader = this.#pump = this.#outlet = undefined;
    reader?.(end === null ? null : Promise.reject(end));
    pump?.over(this, end);
  }

  read(): Promise<Uint8Array | null> {
    if (this.#reader !== undefined || this.#pump !== undefined) {
      return Promise.reject(new TypeError("a read is already under way"));
    }
    const backlog = this.#backlog;
    const bytes = backlog?.shift();
    if (bytes !== undefined) {
      if (!backlog!.hasUnread) this.#resume();
      return Promise.resolve(bytes);
    }
    if (this.isDropped) return Promise.reject(closedHere());
    if (this.end === null) return Promise.resolve(null);
    if (this.end !== undefined) return Promise.reject(this.end);
    if (backlog !== undefined) this.#resume();
    return new Promise((resolve) => this.#reader = resolve);
  }

  interrupt(error: Error): void {
    const reader = this.#reader;
    const pump = this.#pump;
    this.#reader = this.#pump = this.#outlet = undefined;
    if (pump !== undefined && this.#backlog?.untaken) {
      this.#backlog.isAbandoned = true;
    }
    reader?.(Promise.reject(error));
  }

  pipeTo(sink: Conn, pump: Pump): boolean {
    if (this.#reader !== undefined || this.#pump !== undefined) {
      throw new TypeError("a read is already under way");
    }
    if (this.isDropped || !("pour" in sink)) return false;
    this.#outlet = sink as Conn & Outlet;
    this.#pump = pump;
    if (this.#backlog || this.end !== undefined) this.#pourUnread();
    return true;
  }

  #pour(bytes: Uint8Array, outlet: Outlet): void {
    const count = bytes.length; // 0 once the outlet has freed them
    let written: number;
    try {
      written = outlet.pour(bytes, this);
    } catch (error) {
      return this.#takePump()?.sinkBroken(this, error as Error);
    }
    if (written < count) {
      this.pause();
      this.#backlog!.untaken = count - written;
      this.#pump?.held(this);
    }
    if (written > 0) this.#pump?.moved(this, written);
  }

  /** The outlet has written so many bytes of what it had left to write. */
  took(count: number): void {
    const backlog = this.#backlog!;
    backlog.untaken -= count;
    if (!backlog.isAbandoned) this.#pump?.moved(this, count);
    if (backlog.untaken === 0) this.#goOn();
  }

  /** The outlet cannot write what it had left to write. */
  outletFailed(error: Error): void {
    const backlog = this.#backlog!;
    backlog.untaken = 0;
    if (backlog.isAbandoned) this.#goOn();
    else this.#takePump()?.sinkBroken(this, error);
  }

  /** All bytes of the pipe are written, so that more can be read. */
  #goOn(): void {
    this.#backlog!.isAbandoned = false;
    if (this.#outlet !== undefined) this.#pourUnread();
    else if (this.#reader !== undefined) this.#resume();
  }

  #pourUnread(): void {
    while (this.#outlet !== undefined && !this.#backlog?.untaken) {
      const bytes = this.#backlog?.shift();
      if (bytes !== undefined) this.#pour(bytes, this.#outlet);
      else {
        if (this.end !== undefined) this.#giveEnd(this.end);
        else this.#resume();
        return;
      }
    }
  }

  #takePump(): Pump | undefined {
    const pump = this.#pump;
    this.#pump = this.#outlet = undefined;
    return pump;
  }

  /** Holds the peer back until somebody asks for bytes. */
  protected pause(): void {
    const backlog = this.#backlog ??= new Backlog();
    if (backlog.isPaused) return;
    backlog.isPaused = true;
    this.pauseInput();
  }

  #resume(): void {
    const backlog = this.#backlog;
    // What is being written still may lie in the buffer that is read into.
    if (!backlog?.isPaused || backlog.untaken > 0) return;
    backlog.isPaused = false;
    this.resumeInput();
  }
}
