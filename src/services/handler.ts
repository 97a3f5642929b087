import { isDisconnect, stackOf } from "../errors.ts";
import type { Handler, HandlerService } from "../table/service.ts";
import { memoryPair } from "../transport/memory.ts";
import { WrappedConn } from "../transport/stream_conn.ts";
import type { Conn } from "../transport/transport.ts";
import type {
  Opening,
  PreparedService,
  RunningService,
  SessionContext,
} from "./service.ts";

/** Opens a function of the program that uses the library. */
export function openHandler(
  service: HandlerService,
  context: SessionContext,
): Opening {
  return Promise.resolve(new Handling(service, context));
}

/** A function, with the name and the message of its service. */
interface Handled {
  readonly name: string;
  readonly message: string;
  readonly handler: Handler;
}

/**
 * A function that serves one client. It has one end of a connection in memory;
 * the client is relayed to the other end, as to any server. So no function,
 * whatever it does, can hold a session beyond its deadlines.
 */
export class Handling implements PreparedService, RunningService {
  readonly kind = "opened";
  readonly message: string;
  readonly conn: Conn;
  readonly endsWithClient: boolean;
  readonly #name: string;
  readonly #handler: Handler;
  readonly #context: SessionContext;
  readonly #inner: WrappedConn;
  readonly #controller = new AbortController();
  readonly #stopping = new AbortController();
  #serving: Promise<void> | undefined;

  constructor(
    { name, message, handler }: Handled,
    context: SessionContext,
    endsWithClient = false,
  ) {
    this.#name = name;
    this.message = message;
    this.#handler = handler;
    this.#context = context;
    const { local, remote } = context.peer;
    const [outer, inner] = memoryPair(remote, local);
    this.conn = outer;
    this.endsWithClient = endsWithClient;
    this.#inner = new WrappedConn(inner);
  }

  begin(): RunningService {
    // Before the function runs, which may stop the server itself.
    this.#context.hold(this);
    if (this.#context.server.isStopping()) this.stopping();
    this.#serving = this.#serve();
    this.#serving.catch(() => {}); // finish() reports it, perhaps much later
    return this;
  }

  async #serve(): Promise<void> {
    const { signal } = this.#controller;
    const conn = this.#inner;
    try {
      const { id, peer: { local, remote, via, tls } } = this.#context;
      const { signal: stopping } = this.#stopping;
      const service = this.#name;
      const peer = { local, remote, ...(via && { via }), tls };
      await this.#handler(conn, { id, service, peer, signal, stopping });
      conn.close();
    } catch (error) {
      conn.abort();
      if (!signal.aborted) throw error;
      this.#logLate(error);
    }
  }

  /** Logs an error of a function whose session has its record already. */
  #logLate(error: unknown): void {
    if (isDisconnect(error)) return;
    this.#context.server.log("error", "a service threw an error", {
      conn: this.#context.id,
      service: this.#name,
      stack: stackOf(error),
    });
  }

  /** Rejects where the function has failed before it was aborted. */
  async finish(): Promise<string> {
    const { signal } = this.#controller;
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) return resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([this.#serving, aborted]);
    return "";
  }

  stopping(): void {
    this.#stopping.abort();
  }

  abort(): void {
    this.#controller.abort();
    this.conn.abort();
  }
}
