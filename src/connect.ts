/** The client's side of RFC 1078. */
import { isIP } from "node:net";
import { dial } from "./dial.ts";
import {
  type Endpoint,
  formatEndpoint,
  parseEndpoint,
  TCPMUX_PORT,
} from "./endpoint.ts";
import { TcpmuxError } from "./errors.ts";
import { PushbackConn } from "./pushback_conn.ts";
import type { Cancel } from "./transport/cancel.ts";
import { withDeadline } from "./transport/deadline.ts";
import { pickTransport } from "./transport/pick.ts";
import type { Conn, Transport } from "./transport/transport.ts";
import { HELP, type Reply, ReplyReader, requestLine } from "./wire.ts";

/** How a client connects. */
export interface ConnectOptions {
  /** Gives up when aborted: code `cancelled`. */
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
  /** Only IPv4 or only IPv6. Both by default. */
  family?: 4 | 6;
  /**
   * Bytes to send together with the name, one round trip earlier. Servers of
   * before 1990 lose them, so the default is to wait for the `+`.
   */
  early?: Uint8Array;
  /**
   * Drops one NUL byte that comes directly behind the reply line: xinetd
   * sends it, and it belongs to no service.
   * @default false
   */
  dropNul?: boolean;
  /**
   * Sockets.
   * @default those of the runtime
   */
  transport?: Transport;
}

/** A connection to a service, behind the server's `+`. */
export interface ServiceConn extends Conn {
  /** The text behind the `+`, with nothing that is not printable ASCII. */
  readonly message: string;
}

/** The server has answered `-`. */
export class RefusedError extends TcpmuxError {
  override readonly name = "RefusedError";
  /** The text behind the `-`, with nothing that is not printable ASCII. */
  readonly reply: string;

  constructor(service: string, server: string, reply: string) {
    // No standard tells busy from not there: only the words do.
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
 * `unix:@name`; the port is 1 where none is said
 * @returns the connection, from the first byte of the service on
 * @throws {RefusedError} when the server answers `-`: code `refused`, or
 * `busy` where its words say so
 * @throws {TcpmuxError} `timed_out`, `cancelled`, `host_not_found`,
 * `connection_refused` and the like; `protocol` for what is no TCPMUX server
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
  const requested = await request(server, service, options);
  const reply = await requested.reply;
  return new BehindReply(requested.conn, reply.message);
}

/** A service that was asked for and has not been answered yet. */
export interface Requested {
  /** Reads what comes behind the reply; only once the reply is there. */
  readonly conn: Conn;
  /** Rejects as {@linkcode connect} does; the connection is gone then. */
  readonly reply: Promise<{ readonly message: string }>;
}

/** Asks for a service, so that more can be sent before it is answered. */
export async function request(
  server: string,
  service: string,
  options: ConnectOptions = {},
): Promise<Requested> {
  checkName(service);
  const endpoint = parseServer(server);
  const conn = new PushbackConn(await reach(endpoint, options));
  try {
    await conn.write(requestLine(service, options.early));
  } catch (error) {
    conn.abort();
    throw error;
  }
  return { conn, reply: replyOf(conn, service, server, options) };
}

/** The text of a server's address, with the port of RFC 1078 by default. */
export function parseServer(server: string): Endpoint {
  const written = isIP(server) === 6 ? `[${server}]` : server;
  return parseEndpoint(written, TCPMUX_PORT);
}

/** Connects to a server and says nothing yet. */
export async function reach(
  endpoint: Endpoint,
  options: ConnectOptions,
): Promise<Conn> {
  const { signal, connectTimeout = 10_000, family } = options;
  return await dial(options.transport ?? await pickTransport(), endpoint, {
    timeout: connectTimeout,
    ...(signal === undefined ? {} : { signal }),
    family,
  });
}

async function replyOf(
  conn: PushbackConn,
  service: string,
  server: string,
  options: ConnectOptions,
): Promise<{ message: string }> {
  const { signal, replyTimeout: timeout = 30_000 } = options;
  try {
    const reply = await readReply(conn, {
      timeout,
      ...(signal === undefined ? {} : { signal }),
    });
    if (!reply.positive) {
      throw new RefusedError(service, server, reply.message);
    }
    conn.unread(reply.rest);
    if (options.dropNul) conn.dropNext(0); // in the same segment or the next
    return { message: reply.message };
  } catch (error) {
    conn.abort();
    throw error;
  }
}

/**
 * Reads a server's reply line.
 *
 * @throws {TcpmuxError} `protocol` for a server that closes or says anything
 * else; `timed_out` or `cancelled`, and then the connection is gone
 */
export function readReply(
  conn: Conn,
  options: { signal?: Cancel; timeout?: number },
): Promise<Reply> {
  const from = formatEndpoint(conn.remote);
  const what = `no reply of ${from}`;
  return withDeadline(what, options, async (ending) => {
    ending.addEventListener("abort", () => conn.abort());
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
  });
}

/** @throws {TypeError} for what cannot be the name of a service */
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

class BehindReply extends PushbackConn implements ServiceConn {
  readonly message: string;

  constructor(conn: Conn, message: string) {
    super(conn);
    this.message = message;
  }
}
