import type { Endpoint } from "../endpoint.ts";
import type { Conn, Listener } from "./transport.ts";

interface Waiter {
  resolve(conn: Conn | null): void;
  reject(error: Error): void;
}

/**
 * A listener at which its runtime pushes connections: it keeps them until
 * `accept()` takes them.
 */
export abstract class PushedListener implements Listener {
  abstract readonly endpoint: Endpoint;
  readonly #conns: Conn[] = [];
  #error: Error | undefined;
  #waiter: Waiter | undefined;
  #isClosed = false;

  /** Makes the runtime stop listening. Called once. */
  protected abstract stop(): void;

  push(conn: Conn): void {
    if (this.#isClosed) return conn.abort();
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter !== undefined) waiter.resolve(conn);
    else this.#conns.push(conn);
  }

  /** Makes the accept that is under way, or the next one, reject. */
  protected fail(error: Error): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter !== undefined) waiter.reject(error);
    else this.#error = error;
  }

  accept(): Promise<Conn | null> {
    const conn = this.#conns.shift();
    if (conn !== undefined) return Promise.resolve(conn);
    if (this.#isClosed) return Promise.resolve(null);
    const error = this.#error;
    if (error !== undefined) {
      this.#error = undefined;
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  /** Those that wait are still handed out. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.stop();
    this.#waiter?.resolve(null);
  }
}

/**
 * Closes a listener from which nobody accepts any more, and the connections that
 * wait at it. Never rejects.
 */
export async function discardListener(listener: Listener): Promise<void> {
  listener.close();
  try {
    for (let conn; (conn = await listener.accept()) !== null;) conn.abort();
  } catch {
    // It had failed: no connection waits behind its error.
  }
}
