import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { type Timer, TimerList } from "../timers.ts";
import { fromSystem } from "./errno.ts";
import type { Attempt, AttemptOptions, Conn } from "./transport.ts";

/**
 * One attempt to connect, which succeeds, fails, times out or is aborted,
 * whichever comes first. Each relayed connection takes one, so it has only one
 * promise.
 */
export abstract class ConnectAttempt implements Attempt {
  readonly conn: Promise<Conn>;
  readonly endpoint: Endpoint;
  readonly #timeout: number;
  #settle: ((result: Conn | Promise<never>) => void) | undefined;
  #timer: Timer | undefined;

  constructor(endpoint: Endpoint, options: AttemptOptions) {
    this.endpoint = endpoint;
    this.#timeout = options.timeout ?? 0;
    this.conn = new Promise((resolve) => this.#settle = resolve);
  }

  /** Asks the runtime for the connection. */
  protected abstract connect(): void;

  /** Nobody waits any more: a connection that is still made must be closed. */
  protected abstract giveUp(): void;

  start(timers: TimerList): this {
    this.#timer = timers.after(this.#timeout, this);
    try {
      this.connect();
    } catch (error) {
      this.fail(error);
    }
    return this;
  }

  get isOver(): boolean {
    return this.#settle === undefined;
  }

  /** The failure of this attempt, for messages. */
  get what(): string {
    return `cannot connect to ${formatEndpoint(this.endpoint)}`;
  }

  expired(): void {
    this.#giveUp(timedOut(this.what, this.#timeout));
  }

  abort(): void {
    this.#giveUp(cancelled(this.what));
  }

  /** @param conn aborted where nobody waits for it any more */
  protected succeed(conn: Conn): void {
    if (this.#settle === undefined) conn.abort();
    else this.#end(conn);
  }

  protected fail(error: unknown): void {
    if (this.isOver) return;
    const address = formatEndpoint(this.endpoint);
    this.#end(Promise.reject(fromSystem(error, this.what, { address })));
  }

  #giveUp(error: TcpmuxError): void {
    if (this.isOver) return;
    this.#end(Promise.reject(error));
    this.giveUp();
  }

  #end(result: Conn | Promise<never>): void {
    this.#timer?.cancel();
    this.#settle?.(result);
    this.#settle = undefined;
  }
}

export function timedOut(what: string, timeout: number): TcpmuxError {
  return new TcpmuxError("timed_out", `${what}: no answer in ${timeout} ms`);
}

export function cancelled(what: string, cause?: unknown): TcpmuxError {
  return new TcpmuxError("cancelled", `${what}: cancelled`, { cause });
}

/** What ends the work of {@linkcode withDeadline}. */
export interface Deadline {
  /** Gives up when aborted: code `cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which it gives up: code `timed_out`; 0 for never. */
  readonly timeout?: number | undefined;
}

/**
 * Runs work that a signal or a time-out may end. The work gets a signal of its
 * own, and must end when that is aborted.
 *
 * @param what the work, for messages
 * @throws {TcpmuxError} `timed_out` or `cancelled` after such an end, whatever
 * the work threw
 */
export async function withDeadline<T>(
  what: string,
  { signal, timeout = 0 }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (signal?.aborted) throw cancelled(what, signal.reason);
  const own = new AbortController();
  const cancel = () => own.abort(cancelled(what, signal?.reason));
  signal?.addEventListener("abort", cancel, { once: true });
  const expire = () => own.abort(timedOut(what, timeout));
  const timer = new TimerList().after(timeout, expire);
  try {
    return await work(own.signal);
  } catch (error) {
    throw own.signal.aborted ? own.signal.reason : error;
  } finally {
    timer?.cancel();
    signal?.removeEventListener("abort", cancel);
  }
}
