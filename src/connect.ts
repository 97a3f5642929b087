/** The client's side of RFC 1078: a service of a server. */
import { reach, readReply, refusedBy } from "./dial.ts";
import { type Endpoint, formatEndpoint, type TlsFacts } from "./endpoint.ts";
import {
  ENDPOINT_FORMS,
  endpointText,
  parseEndpoint,
  parseTarget,
} from "./parse_endpoint.ts";
import { TcpmuxError } from "./errors.ts";
import {
  type ClientTls,
  demandsOf,
  type TlsDemands,
} from "./transport/net/tls/demands.ts";
import { transportOf } from "./transport/pick.ts";
import { type StreamConn, WrappedConn } from "./transport/stream_conn.ts";
import type { Conn, TransportHandle } from "./transport/transport.ts";
import { type Duration, millisecondsOf } from "./units.ts";
import { HELP, type Reply, requestLine } from "./wire.ts";

/** How a client connects. */
export interface ConnectOptions {
  /**
   * Gives up when aborted: code `timed_out` for a signal of
   * `AbortSignal.timeout`, and `cancelled` for any other.
   * @default none
   */
  signal?: AbortSignal;
  /**
   * The time limit to look up the server's name and connect to one of its
   * addresses: milliseconds, or text such as `"10s"`; 0 for no limit.
   * @default "10s"
   */
  connectTimeout?: Duration;
  /**
   * The time limit for the reply, from the connection on: milliseconds, or text
   * such as `"30s"`; 0 for no limit.
   * @default "30s"
   */
  replyTimeout?: Duration;
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
   * Drops one NUL byte directly after the reply line: xinetd sends it, and it
   * is not part of the service's output.
   * @default false
   */
  dropNul?: boolean;
  /**
   * TLS: with `true`, the server must have a certificate for its host name of
   * an authority that the runtime trusts; an object says it in detail.
   * `connectTimeout` is for the handshake as well.
   * @default false, and true for `tcpmuxs://`
   */
  tls?: boolean | ClientTls;
  /**
   * The sockets to use.
   * @default those of the runtime
   */
  transport?: TransportHandle;
}

/** A connection to a service. Its first byte is the service's own. */
export interface ServiceConn extends StreamConn {
  /**
   * The text after the `+` of the server's reply, with only printable ASCII
   * characters; it may be empty.
   */
  readonly message: string;
  /** What TLS knows of the server; undefined without TLS. */
  readonly tls: TlsFacts | undefined;
}

/**
 * Connects to a service of a TCPMUX server (RFC 1078).
 *
 * @param server `HOST`, `HOST:PORT`, `[V6]:PORT`, `unix:/path` or
 * `unix:@name`, with 1 as the default port; or an {@linkcode Endpoint}, such as
 * one of a server's `addresses`; or a URL, `tcpmux://HOST:PORT/SERVICE`, or
 * `tcpmuxs://` for TLS, whose default port is 10001
 * @param service 1 to 255 printable ASCII characters without spaces; servers
 * ignore its case. It is left out where the URL names it
 * @returns the connection; the first byte that it reads is the service's. The
 * caller closes it, for example by `await using`
 * @throws {RefusedError} when the server answers `-`: code `refused`, or
 * `busy` if its text says so; `untrusted` or `protocol` if it speaks of TLS
 * @throws {TcpmuxError} `timed_out`, `cancelled`, `host_not_found`,
 * `connection_refused` and the like; `protocol` if the other side is not a
 * TCPMUX server, or speaks no TLS; `untrusted` where one side does not take the
 * other's certificate; `usage` if `server` is not an address
 * @throws {TypeError} if `service` is not a valid name, or an option is not a
 * duration
 *
 * @example
 * ```ts
 * import { connect, serve } from "./mod.ts";
 *
 * const server = await serve({
 *   server: { listen: "127.0.0.1:0" },
 *   services: { echo: { builtin: "echo" } },
 * });
 * const conn = await connect(server.addresses[0]!, "echo");
 * await conn.write(new TextEncoder().encode("hello"));
 * await conn.closeWrite();
 * for await (const bytes of conn) console.log(bytes.length); // 5
 * conn.close();
 * await server.close();
 * ```
 */
export async function connect(
  server: string | Endpoint,
  service: string,
  options?: ConnectOptions,
): Promise<ServiceConn>;
/** Connects to the service that a URL names, as the other form does. */
export async function connect(
  url: string,
  options?: ConnectOptions,
): Promise<ServiceConn>;
export async function connect(
  server: string | Endpoint,
  ...words: [(string | ConnectOptions)?, ConnectOptions?]
): Promise<ServiceConn> {
  const [first, options = typeof first === "object" ? first : {}] = words;
  const service = typeof first === "object" ? undefined : first;
  const conn = await request(server, service, options);
  await conn.reply;
  return conn;
}

/**
 * Asks for a service without waiting for the reply, so that the caller can send
 * more meanwhile. Reading waits for the reply; a refusal aborts the connection.
 */
export async function request(
  server: string | Endpoint,
  name: string | undefined,
  options: ConnectOptions = {},
): Promise<RequestedConn> {
  const { endpoint, tls, service: named } = targetOf(server, options);
  if (named !== undefined && name !== undefined) {
    throw new TypeError("the URL names a service already");
  }
  const service = named ?? name;
  checkName(service);
  const timeout = replyTimeoutOf(options);
  const transport = await transportOf(options.transport);
  const conn = await reach(transport, endpoint, options, tls);
  // Not awaited: the reply may come first, and its deadline is for both.
  conn.write(requestLine(service, options.early)).catch(() => {});
  const { signal } = options;
  const { timers } = transport;
  const deadline = { timeout, timers, signal };
  const reply = readReply(conn, deadline).then(async (reply) => {
    if (reply.positive) return reply;
    throw await refusedBy(nameOf(server), service, reply.message, tls);
  });
  return new RequestedConn(conn, reply, options.dropNul === true);
}

/** A connection on which a service was asked for: reading awaits the reply. */
export class RequestedConn extends WrappedConn implements ServiceConn {
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

  /** Empty until the reply has come. */
  get message(): string {
    return this.#message;
  }

  get tls(): TlsFacts | undefined {
    return this.inner.tls;
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

/** A server that a client means, and what is demanded of it. */
export interface Target {
  readonly endpoint: Endpoint;
  /** Undefined without TLS. */
  readonly tls: TlsDemands | undefined;
  /** The service that a URL names. */
  readonly service: string | undefined;
}

/**
 * The server that a client means, as text or as an object.
 *
 * @throws {TcpmuxError} code `usage`, saying what is wrong with it
 * @throws {TypeError} for an option `tls` that cannot be one
 */
export function targetOf(
  server: string | Endpoint,
  { tls }: Pick<ConnectOptions, "tls">,
): Target {
  if (typeof server === "string") {
    const target = parseTarget(server, tls !== undefined && tls !== false);
    if (target.tls && tls === false) {
      throw new TypeError(`${server} is reached by TLS, but tls is false`);
    }
    return { ...target, tls: demandsOf(tls ?? target.tls) };
  }
  const text = endpointText(server);
  if (text !== undefined) {
    const endpoint = parseEndpoint(text);
    return { endpoint, tls: demandsOf(tls), service: undefined };
  }
  throw new TcpmuxError(
    "usage",
    `${
      JSON.stringify(server)
    } is not an address (${ENDPOINT_FORMS}, or an Endpoint)`,
  );
}

/** A server's address as the caller wrote it. */
export function nameOf(server: string | Endpoint): string {
  return typeof server === "string" ? server : formatEndpoint(server);
}

export function replyTimeoutOf(
  { replyTimeout = 30_000 }: ConnectOptions,
): number {
  return millisecondsOf("replyTimeout", replyTimeout);
}

/** @throws {TypeError} where the text cannot be the name of a service */
function checkName(service: string | undefined): asserts service is string {
  if (typeof service !== "string") {
    throw new TypeError(
      'connect needs a server and the name of a service, as in connect("HOST", ' +
        '"NAME"); list("HOST") gives the names',
    );
  }
  if (service.toUpperCase() === HELP) {
    throw new TypeError(
      "HELP is not a service: to get the names, use list() or tcpmux list",
    );
  }
  if (/^[\x21-\x7e]{1,255}$/.test(service)) return;
  throw new TypeError(
    `${JSON.stringify(service)} is not a valid service name: a name is 1 to ` +
      "255 printable ASCII characters without blanks",
  );
}
