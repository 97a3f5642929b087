import type { Conn } from "./transport.ts";

interface Waiter {
  resolve(conn: Conn | null): void;
  reject(error: Error): void;
}

/** Connections that a runtime has pushed, until `accept()` takes them. */
export class AcceptQueue {
  #conns: Conn[] = [];
  #error: Error | undefined;
  #waiter: Waiter | undefined;
  #closed = false;

  push(conn: Conn): void {
    if (this.#closed) return conn.abort();
    const waiter = this.#takeWaiter();
    if (waiter !== undefined) waiter.resolve(conn);
    else this.#conns.push(conn);
  }

  /** Makes the accept that is under way, or the next one, reject. */
  fail(error: Error): void {
    const waiter = this.#takeWaiter();
    if (waiter !== undefined) waiter.reject(error);
    else this.#error = error;
  }

  shift(): Promise<Conn | null> {
    const conn = this.#conns.shift();
    if (conn !== undefined) return Promise.resolve(conn);
    if (this.#closed) return Promise.resolve(null);
    const error = this.#error;
    if (error !== undefined) {
      this.#error = undefined;
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  /** Takes no more connections; those that wait are still handed out. */
  close(): void {
    this.#closed = true;
    this.#takeWaiter()?.resolve(null);
  }

  #takeWaiter(): Waiter | undefined {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    return waiter;
  }
}
