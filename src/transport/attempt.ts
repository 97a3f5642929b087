import { canonicalHost, type Endpoint, formatEndpoint } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { type Timer, TimerList } from "../timers.ts";
import { fromSystem } from "./errno.ts";
import type { Attempt, AttemptOptions, Conn } from "./transport.ts";

/**
 * How often a connection that has met itself is made anew. Each takes the next
 * free port, so a second meeting is rare; a range of one port has no other.
 */
const MOST_MEETINGS = 8;

/** Milliseconds before a server whose queue was full is asked again. */
const QUEUE_PAUSE = 20;

/**
 * One attempt to connect, which succeeds, fails, times out or is aborted,
 * whichever comes first. Each relayed connection takes one, so it has only one
 * promise.
 *
 * Two answers of the system are no result: a TCP connection whose port is by
 * chance the one that it is to reach, and so meets itself; and a Unix socket
 * whose queue of new connections is full. Both are tried again in the same time.
 */
export abstract class ConnectAttempt implements Attempt {
  readonly conn: Promise<Conn>;
  readonly endpoint: Endpoint;
  readonly #timeout: number;
  #settle: ((result: Conn | Promise<never>) => void) | undefined;
  #timers: TimerList | undefined;
  #timer: Timer | undefined;
  #meetings = 0;
  /** While the queue of a Unix socket is full: until it is asked again. */
  #pause: Timer | undefined;

  constructor(endpoint: Endpoint, options: AttemptOptions) {
    this.endpoint = endpoint;
    this.#timeout = options.timeout ?? 0;
    this.conn = new Promise((resolve) => this.#settle = resolve);
  }

  /**
   * Asks the runtime for the connection; again after one that was no result.
   * It never throws: each failure is a call of `fail`.
   */
  protected abstract connect(): void;

  /** Nobody waits any more: a connection that is still made must be closed. */
  protected abstract giveUp(): void;

  start(timers: TimerList): this {
    this.#timers = timers;
    this.#timer = timers.after(this.#timeout, this);
    this.connect();
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
    const { what } = this;
    this.#giveUp(
      this.#pause === undefined
        ? timedOut(what, this.#timeout)
        : new TcpmuxError(
          "timed_out",
          `${what}: its queue of new connections stayed full for ` +
            `${this.#timeout} ms`,
          { address: formatEndpoint(this.endpoint), errno: "EAGAIN" },
        ),
    );
  }

  abort(): void {
    this.#giveUp(cancelled(this.what));
  }

  /** @param conn aborted where nobody waits for it any more */
  protected succeed(conn: Conn): void {
    if (this.#settle === undefined) return conn.abort();
    const { local, remote } = conn;
    const hasMetItself = local.transport === "tcp" &&
      remote.transport === "tcp" && local.port === remote.port &&
      leadsBack(local.host, remote.host);
    if (!hasMetItself) return this.#end(conn);
    conn.abort();
    if (++this.#meetings < MOST_MEETINGS) this.connect();
    else this.fail({ code: "ECONNREFUSED" });
  }

  protected fail(error: unknown): void {
    if (this.isOver) return;
    if (this.endpoint.transport === "unix" && isEagain(error)) {
      this.#pause = this.#timers!.after(QUEUE_PAUSE, () => this.connect());
      return;
    }
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
    this.#pause?.cancel();
    this.#settle?.(result);
    this.#settle = undefined;
  }
}

/**
 * Whether the address that was connected to, as somebody has written it, is our
 * own end's. An unspecified one (`0.0.0.0`, `::`) leads to this machine.
 */
function leadsBack(own: string, host: string): boolean {
  const to = plainHost(host);
  return to === "0.0.0.0" || to === "::" || to === plainHost(own);
}

/** One form for all ways to write an address, without its interface. */
function plainHost(host: string): string {
  return canonicalHost(host).replace(/%.*/, "");
}

function isEagain(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === "EAGAIN";
}

export function timedOut(what: string, timeout: number): TcpmuxError {
  return new TcpmuxError("timed_out", `${what}: no answer in ${timeout} ms`);
}

/**
 * The error after a signal was aborted: `timed_out` where it was one of
 * `AbortSignal.timeout`.
 */
export function cancelled(what: string, cause?: unknown): TcpmuxError {
  if ((cause as { name?: unknown } | undefined)?.name === "TimeoutError") {
    const message =
      `${what}: no answer before the caller's AbortSignal timed out`;
    return new TcpmuxError("timed_out", message, { cause });
  }
  return new TcpmuxError("cancelled", `${what}: cancelled`, { cause });
}

/** What ends the work of {@linkcode withDeadline}. */
export interface Deadline {
  /** Gives up when aborted, as {@linkcode cancelled} says. */
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
