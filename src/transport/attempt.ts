import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import type { TcpmuxError } from "../errors.ts";
import { Settling } from "../settling.ts";
import { cancelled, timedOut } from "./deadline.ts";
import { fromSystem } from "./errno.ts";
import type { Conn, ConnectOptions } from "./transport.ts";

/**
 * One attempt to connect that a signal and a time-out may end, as
 * `withDeadline` has it, but with fewer promises: there is one for each
 * connection that is relayed.
 */
export abstract class Attempt extends Settling<Conn> {
  readonly endpoint: Endpoint;
  readonly options: ConnectOptions;

  constructor(endpoint: Endpoint, options: ConnectOptions) {
    super();
    this.endpoint = endpoint;
    this.options = options;
  }

  /** Asks the runtime for the connection. */
  protected abstract connect(): void;

  /** It has been given up: what comes of it now is to be let go. */
  protected abstract givenUp(): void;

  protected override begin(): void {
    const { signal, timeout = 0 } = this.options;
    if (signal?.aborted) throw cancelled(this.what, signal);
    this.heed(signal);
    this.limit(timeout);
    try {
      this.connect();
    } catch (error) {
      this.reject(fromSystem(error, this.what));
    }
  }

  /** For messages. */
  get what(): string {
    return `cannot connect to ${formatEndpoint(this.endpoint)}`;
  }

  override handleEvent(): void {
    this.#giveUp(cancelled(this.what, this.options.signal));
  }

  override expired(): void {
    this.#giveUp(timedOut(this.what, this.options.timeout!));
  }

  #giveUp(error: TcpmuxError): void {
    this.reject(error);
    this.givenUp();
  }
}
