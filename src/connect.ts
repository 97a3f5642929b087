/** The client's side of RFC 1078. */
import { dial } from "./dial.ts";
import { type Endpoint, formatEndpoint, parseServer } from "./endpoint.ts";
import { TcpmuxError } from "./errors.ts";
import type { TimerList } from "./timers.ts";
import { cancelled, timedOut } from "./transport/attempt.ts";
import { pickTransport } from "./transport/pick.ts";
import { StreamConn } from "./transport/stream_conn.ts";
import type { Conn, Transport } from "./transport/transport.ts";
import { HELP, type Reply, ReplyReader, requestLine } from "./wire.ts";

/** How a client connects. */
export interface ConnectOptions {
  /** Gives up when aborted: code `cancelled`. By default there is none. */
  signal?: AbortSignal;
  /**
   * Milliseconds to reach the server, its name looked up and all its
   * addresses tried; 0 for no limit.
   * @default 10000
   */
  connectTimeout?: number;
  /**
   * Milliseconds from there to the end of the reply; 0 for no limit.
   * @default 30000
   */
  replyTimeout?: number;
  /**
   * Only IPv4 or only IPv6.
   * @default both, tried side by side (RFC 8305)
   */
  family?: 4 | 6;
  /**
   * Bytes to send together with the name, one round trip earlier. Some old
   * servers lose them.
   * @default none: the service's first bytes wait for the `+`
   */
  early?: Uint8Array;
  /**
   * Drops one NUL byte directly behind the reply line: xinetd sends it, and it
   * belongs to no service.
   * @default false
   */
  dropNul?: boolean;
  /**
   * The sockets to use.
   * @default those of the runtime
   */
  transport?: Transport;
}

/**
 * The server has answered `-`. Its code is `busy` where the reply's words say
 * that another attempt may succeed, and `refused` otherwise.
 */
export class RefusedError extends TcpmuxError {
  override readonly name = "RefusedError";
  /** The text behind the `-`, with nothing that is not printable ASCII. */
  readonly reply: string;

  constructor(service: string, server: string, reply: string) {
    // RFC 1078 has no code for busy: only the words of the reply show it.
    const busy = /\b(busy|try again|too many|temporar|shutting down)/i.test(
      reply,
    );
    super(
      busy ? "busy" : "refused",
      `${server} refuses ${JSON.stringify(service)}: ${reply || "(no reason)"}`,
      { address: server },
    );
    this.reply = reply;
  }
}

/**
 * Connects to a service of a TCPMUX server (RFC 1078).
 *
 * @param server `HOST`, `HOST:PORT`, `[V6]:PORT`, `unix:/path` or
 * `unix:@name`; the port is 1 where none is given
 * @param service 1 to 255 printable ASCII characters without spaces; servers
 * ignore its case
 * @returns the connection, whose first byte is the service's; it is the
 * caller's to close
 * @throws {RefusedError} when the server answers `-`: code `refused`, or
 * `busy` where its words say so
 * @throws {TcpmuxError} `timed_out`, `cancelled`, `host_not_found`,
 * `connection_refused` and the like; `protocol` where no TCPMUX server answers;
 * `usage` where `server` is no address
 * @throws {TypeError} where `service` cannot be a name
 *
 * @example
 * ```ts
 * import { connect, formatEndpoint, serve } from "./mod.ts";
 *
 * const server = await serve({
 *   server: { listen: "127.0.0.1:0" },
 *   services: { echo: { builtin: "echo" } },
 * });
 * const conn = await connect(formatEndpoint(server.addresses[0]!), "echo");
 * await conn.write(new TextEncoder().encode("hello"));
 * await conn.closeWrite();
 * console.log(await new Response(conn.readable).text()); // hello
 * conn.close();
 * await server.close();
 * ```
 */
export async function connect(
  server: string,
  service: string,
  options: ConnectOptions = {},
): Promise<ServiceConn> {
  const conn = await request(server, service, options);
  await conn.reply;
  return conn;
}

/**
 * Asks for a service without waiting for the reply, so that the caller can send
 * more meanwhile. Reading waits for the reply; a refusal aborts the connection.
 */
export async function request(
  server: string,
  service: string,
  options: ConnectOptions = {},
): Promise<ServiceConn> {
  checkName(service);
  const transport = options.transport ?? await pickTransport();
  const conn = await reach(transport, parseServer(server), options);
  // Not awaited: the reply may come first, and its deadline is for both.
  conn.write(requestLine(service, options.early)).catch(() => {});
  const { signal, replyTimeout: timeout = 30_000 } = options;
  const { timers } = transport;
  const reply = readReply(conn, { timeout, timers, signal }).then((reply) => {
    if (reply.positive) return reply;
    throw new RefusedError(service, server, reply.message);
  });
  return new ServiceConn(conn, reply, options.dropNul === true);
}

/** A connection to a service, whose bytes begin behind the server's reply. */
export class ServiceConn extends StreamConn {
  /** Rejects as {@linkcode connect} does; the connection is aborted then. */
  readonly reply: Promise<void>;
  #message = "";
  #early: Uint8Array | undefined;
  #dropsNul: boolean;

  constructor(conn: Conn, reply: Promise<Reply>, dropsNul: boolean) {
    super(conn);
    this.#dropsNul = dropsNul;
    this.reply = this.#await(reply);
  }

  async #await(reply: Promise<Reply>): Promise<void> {
    try {
      const { message, rest } = await reply;
      this.#message = message;
      if (rest.length > 0) this.#early = rest;
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /** The text behind the `+`, with nothing that is not printable ASCII. */
  get message(): string {
    return this.#message;
  }

  override async read(): Promise<Uint8Array | null> {
    await this.reply;
    for (;;) {
      const bytes = this.#early ?? await super.read();
      this.#early = undefined;
      const dropsNul = this.#dropsNul && bytes?.[0] === 0;
      this.#dropsNul = false;
      if (!dropsNul) return bytes;
      if (bytes.length > 1) return bytes.subarray(1);
    }
  }
}

/** Connects to a server, and sends nothing yet. */
export async function reach(
  transport: Transport,
  endpoint: Endpoint,
  options: ConnectOptions,
): Promise<Conn> {
  const { signal, connectTimeout: timeout = 10_000, family } = options;
  const what = `cannot connect to ${formatEndpoint(endpoint)}`;
  if (signal?.aborted) throw cancelled(what, signal.reason);
  const attempt = dial(transport, endpoint, { timeout, family });
  const abort = () => attempt.abort();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await attempt.conn;
  } catch (error) {
    throw signal?.aborted ? cancelled(what, signal.reason) : error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** What ends the wait for a reply. */
export interface ReplyDeadline {
  /** Milliseconds; 0 for no limit. */
  readonly timeout: number;
  readonly timers: TimerList;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a server's reply line. The connection is the caller's to close.
 *
 * @throws {TcpmuxError} `protocol` for a server that closes or sends anything
 * else; `timed_out` or `cancelled`
 */
export async function readReply(
  conn: Conn,
  { timeout, timers, signal }: ReplyDeadline,
): Promise<Reply> {
  const from = formatEndpoint(conn.remote);
  const what = `no reply of ${from}`;
  if (signal?.aborted) throw cancelled(what, signal.reason);
  const cancel = () => conn.interrupt(cancelled(what, signal?.reason));
  const expire = () => conn.interrupt(timedOut(what, timeout));
  signal?.addEventListener("abort", cancel, { once: true });
  const timer = timers.limit(timeout, expire);
  try {
    const reader = new ReplyReader();
    for (;;) {
      const bytes = await conn.read();
      if (bytes === null) {
        throw new TcpmuxError("protocol", `${what}: it closed without one`);
      }
      const state = reader.push(bytes);
      if (state.state === "reply") return state;
      if (state.state === "malformed") {
        throw new TcpmuxError(
          "protocol",
          `${from} is no TCPMUX server: ${state.why}`,
        );
      }
    }
  } finally {
    timer?.cancel();
    signal?.removeEventListener("abort", cancel);
  }
}

/** @throws {TypeError} where the text cannot be the name of a service */
function checkName(service: string): void {
  if (service.toUpperCase() === HELP) {
    throw new TypeError(
      "HELP is no service: ask for the list of names instead",
    );
  }
  if (/^[\x21-\x7e]{1,255}$/.test(service)) return;
  throw new TypeError(
    `${JSON.stringify(service)} is no name for a service: a name is 1 to 255 ` +
      "printable ASCII characters without blanks",
  );
}
