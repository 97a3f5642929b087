import type { Endpoint } from "../endpoint.ts";
import { closedHere } from "./errno.ts";
import type { Conn, Pump } from "./transport.ts";

type Bytes = Uint8Array | null | Promise<never>;

/**
 * A connection whose runtime gives bytes only when it is asked for them. A read
 * of the runtime cannot be cancelled: the bytes of one that was interrupted are
 * kept for the next reader.
 */
export abstract class PulledConn implements Conn {
  abstract readonly local: Endpoint;
  abstract readonly remote: Endpoint;
  end: undefined | null | Error = undefined;
  waiting = false;
  /** Whether nobody will read any more. */
  protected isDropped = false;
  #unread: Uint8Array | undefined = undefined;
  #isAsking = false;
  #reader: ((bytes: Bytes) => void) | undefined = undefined;
  #pump: Pump | undefined = undefined;

  abstract write(bytes: Uint8Array): Promise<void>;
  abstract closeWrite(): Promise<void>;
  abstract close(): void;
  abstract abort(): void;
  abstract isAlive(): Promise<boolean>;
  /** Asks the runtime for the next bytes; null at the end. */
  protected abstract pull(): Promise<Uint8Array | null>;

  read(): Promise<Uint8Array | null> {
    if (this.#reader !== undefined || this.#pump !== undefined) {
      return Promise.reject(new TypeError("a read is already under way"));
    }
    if (this.isDropped) return Promise.reject(closedHere());
    const bytes = this.#unread;
    if (bytes !== undefined) {
      this.#unread = undefined;
      return Promise.resolve(bytes);
    }
    if (this.end === null) return Promise.resolve(null);
    if (this.end !== undefined) return Promise.reject(this.end);
    return new Promise((resolve) => {
      this.#reader = resolve;
      if (!this.#isAsking) this.#ask();
    });
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    let bytes: Uint8Array | null;
    try {
      bytes = await this.pull();
    } catch (error) {
      return this.answer(error as Error);
    }
    this.answer(bytes);
  }

  /** The runtime has answered: bytes, the end, or the error. */
  protected answer(answer: Uint8Array | null | Error): void {
    this.#isAsking = false;
    if (this.end !== undefined) return; // nobody waits for more
    if (!(answer instanceof Uint8Array)) this.end = answer;
    const reader = this.#takeReader();
    if (reader === undefined) {
      if (answer instanceof Uint8Array) this.#unread = answer;
    } else reader(answer instanceof Error ? Promise.reject(answer) : answer);
  }

  interrupt(error: Error): void {
    this.#pump = undefined;
    this.#takeReader()?.(Promise.reject(error));
  }

  /** For {@linkcode ProcessConn.endInput}. */
  protected endIfAwaited(): boolean {
    const isAwaited = this.#reader !== undefined || this.#pump !== undefined;
    if (isAwaited && this.end === undefined && !this.waiting) {
      this.end = null;
      this.#takeReader()?.(null);
      this.#takePump()?.over(this, null);
    }
    return this.end !== undefined;
  }

  /** Nobody will read any more: unread bytes are dropped. */
  protected drop(): void {
    this.isDropped = true;
    this.#unread = undefined;
    if (this.end === undefined) this.end = closedHere();
    this.#takeReader()?.(Promise.reject(closedHere()));
    this.#takePump()?.over(this, this.end ?? closedHere());
  }

  /**
   * Begins a pipe, which asks for bytes by itself until it ends.
   *
   * @returns false where an interrupted read is still under way, or has left
   * bytes
   */
  protected beginPipe(pump: Pump): boolean {
    if (this.#reader !== undefined || this.#pump !== undefined) {
      throw new TypeError("a read is already under way");
    }
    if (this.#isAsking || this.#unread !== undefined) return false;
    if (this.end !== undefined || this.isDropped) return false;
    this.#pump = pump;
    this.#isAsking = true;
    return true;
  }

  /** Whether this pipe is still under way: not interrupted. */
  protected isPiping(pump: Pump): boolean {
    return this.#pump === pump;
  }

  /** The pipe's source has ended. */
  protected endPipe(pump: Pump, end: null | Error): void {
    if (this.#pump !== pump) return this.answer(end);
    this.#isAsking = false;
    this.end = end;
    this.#takePump();
    pump.over(this, end);
  }

  /** The pipe's sink takes no more. */
  protected breakPipe(pump: Pump, error: Error): void {
    this.waiting = false;
    this.#isAsking = false;
    if (this.#pump !== pump) return this.#askAgain();
    this.#takePump();
    pump.sinkBroken(this, error);
  }

  /** An interrupted pipe has written the bytes that it held. */
  protected leavePipe(): void {
    this.#isAsking = false;
    this.#askAgain();
  }

  #askAgain(): void {
    if (this.#reader !== undefined) this.#ask();
  }

  #takeReader(): ((bytes: Bytes) => void) | undefined {
    const reader = this.#reader;
    this.#reader = undefined;
    return reader;
  }

  #takePump(): Pump | undefined {
    const pump = this.#pump;
    this.#pump = undefined;
    return pump;
  }
}
