/** The client's side of RFC 1078: a service, and the names of services. */
import { reach, readReply } from "./dial.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import {
  ENDPOINT_FORMS,
  endpointText,
  parseEndpoint,
  parseServer,
} from "./parse_endpoint.ts";
import { RefusedError, TcpmuxError } from "./errors.ts";
import { withDeadline } from "./transport/attempt.ts";
import { transportOf } from "./transport/pick.ts";
import { type StreamConn, WrappedConn } from "./transport/stream_conn.ts";
import type { Conn, TransportHandle } from "./transport/transport.ts";
import { type Duration, millisecondsOf } from "./units.ts";
import { HELP, namesIn, type Reply, requestLine } from "./wire.ts";

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
}

/**
 * Connects to a service of a TCPMUX server (RFC 1078).
 *
 * @param server `HOST`, `HOST:PORT`, `[V6]:PORT`, `unix:/path` or
 * `unix:@name`, with 1 as the default port; or an {@linkcode Endpoint}, such as
 * one of a server's `addresses`
 * @param service 1 to 255 printable ASCII characters without spaces; servers
 * ignore its case
 * @returns the connection; the first byte that it reads is the service's. The
 * caller closes it, for example by `await using`
 * @throws {RefusedError} when the server answers `-`: code `refused`, or
 * `busy` if its text says so
 * @throws {TcpmuxError} `timed_out`, `cancelled`, `host_not_found`,
 * `connection_refused` and the like; `protocol` if the other side is not a
 * TCPMUX server; `usage` if `server` is not an address
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
  server: string | Endpoint,
  service: string,
  options: ConnectOptions = {},
): Promise<RequestedConn> {
  const endpoint = serverEndpoint(server);
  checkName(service);
  const timeout = replyTimeoutOf(options);
  const transport = await transportOf(options.transport);
  const conn = await reach(transport, endpoint, options);
  // Not awaited: the reply may come first, and its deadline is for both.
  conn.write(requestLine(service, options.early)).catch(() => {});
  const { signal } = options;
  const { timers } = transport;
  const reply = readReply(conn, { timeout, timers, signal }).then((reply) => {
    if (reply.positive) return reply;
    throw new RefusedError(service, nameOf(server), reply.message);
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

/**
 * The address of a TCPMUX server, as text or as an object.
 *
 * @throws {TcpmuxError} code `usage`, saying what is wrong with it
 */
function serverEndpoint(server: string | Endpoint): Endpoint {
  if (typeof server === "string") return parseServer(server);
  const text = endpointText(server);
  if (text !== undefined) return parseEndpoint(text);
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

function replyTimeoutOf({ replyTimeout = 30_000 }: ConnectOptions): number {
  return millisecondsOf("replyTimeout", replyTimeout);
}

/** @throws {TypeError} where the text cannot be the name of a service */
function checkName(service: string): void {
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

/** The most bytes of a list that are read. */
const MAX_LIST = 1024 * 1024;

/**
 * Asks a TCPMUX server for the names of its services (RFC 1078, HELP).
 *
 * Servers answer in four ways, and all are understood: bare names; a `+` line
 * and then names; a line `HELP` and then names; and a refusal.
 *
 * @param server as for {@linkcode connect}
 * @param options as for {@linkcode connect}; `replyTimeout` is for the whole
 * list, 30 seconds by default
 * @returns the names in the server's order, and as it spells them
 * @throws {RefusedError} when the server answers `-`
 * @throws {TcpmuxError} as {@linkcode connect} does
 *
 * @example
 * ```ts
 * import { list, serve } from "./mod.ts";
 *
 * const server = await serve({
 *   server: { listen: "127.0.0.1:0" },
 *   services: { echo: { builtin: "echo" }, about: { text: "tcpmux" } },
 * });
 * console.log(await list(server.addresses[0]!)); // [ "echo", "about" ]
 * await server.close();
 * ```
 */
export async function list(
  server: string | Endpoint,
  options: Omit<ConnectOptions, "early" | "dropNul"> = {},
): Promise<string[]> {
  const endpoint = serverEndpoint(server);
  const timeout = replyTimeoutOf(options);
  const transport = await transportOf(options.transport);
  const conn = await reach(transport, endpoint, options);
  const { signal } = options;
  const what = `no list of services from ${formatEndpoint(conn.remote)}`;
  try {
    const text = await withDeadline(what, { timeout, signal }, async (own) => {
      own.addEventListener("abort", () => conn.abort());
      await conn.write(requestLine(HELP));
      return await readAll(conn, what);
    });
    return namesIn(text, nameOf(server));
  } finally {
    conn.close();
  }
}

async function readAll(conn: Conn, what: string): Promise<string> {
  const decoder = new TextDecoder("latin1");
  let text = "";
  for (let bytes; (bytes = await conn.read()) !== null;) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length > MAX_LIST) {
      throw new TcpmuxError(
        "protocol",
        `${what}: the list is longer than ${MAX_LIST} bytes`,
      );
    }
  }
  return text;
}
