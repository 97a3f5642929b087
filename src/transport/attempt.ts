import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import type { TcpmuxError } from "../errors.ts";
import { after, type Timeout } from "../timeouts.ts";
import { cancelled, timedOut } from "./deadline.ts";
import { fromSystem } from "./errno.ts";
import type { Conn, ConnectOptions } from "./transport.ts";

/**
 * One attempt to connect that a signal and a time-out may end, as
 * `withDeadline` has it, but with fewer promises: there is one for each
 * connection that is relayed.
 */
export abstract class Attempt {
  readonly endpoint: Endpoint;
  readonly options: ConnectOptions;
  #resolve!: (conn: Conn | Promise<Conn>) => void;
  #reject!: (error: TcpmuxError) => void;
  #timeout: Timeout | undefined;
  #over = false;

  constructor(endpoint: Endpoint, options: ConnectOptions) {
    this.endpoint = endpoint;
    this.options = options;
  }

  /** Asks the runtime for the connection. */
  protected abstract begin(): void;

  /** It has been given up: what comes of it now is to be let go. */
  protected abstract givenUp(): void;

  start(): Promise<Conn> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#start();
    });
  }

  #start(): void {
    const { signal, timeout = 0 } = this.options;
    if (signal?.aborted) return this.#reject(cancelled(this.what, signal));
    signal?.addEventListener("abort", this, { once: true });
    if (timeout > 0) this.#timeout = after(timeout, this);
    try {
      this.begin();
    } catch (error) {
      this.fail(fromSystem(error, this.what));
    }
  }

  /** For messages. */
  get what(): string {
    return `cannot connect to ${formatEndpoint(this.endpoint)}`;
  }

  /** Whether nobody waits for it any more. */
  get isOver(): boolean {
    return this.#over;
  }

  protected succeed(conn: Conn | Promise<Conn>): void {
    if (this.#finish()) this.#resolve(conn);
  }

  protected fail(error: TcpmuxError): void {
    if (this.#finish()) this.#reject(error);
  }

  /** The word to stop. */
  handleEvent(): void {
    this.#giveUp(cancelled(this.what, this.options.signal));
  }

  expired(): void {
    this.#giveUp(timedOut(this.what, this.options.timeout!));
  }

  #giveUp(error: TcpmuxError): void {
    this.fail(error);
    this.givenUp();
  }

  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timeout?.cancel();
    this.options.signal?.removeEventListener("abort", this);
    return true;
  }
}
