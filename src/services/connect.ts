/**
 * Services that lead to an upstream: how it is reached, and what it learns of the
 * client before the first byte.
 */
import { dial } from "../dial.ts";
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { messageOf, TcpmuxError } from "../errors.ts";
import { proxyHeader } from "../handshake/proxy_protocol.ts";
import { unavailable } from "../policy/refusal.ts";
import type {
  ConnectService,
  ProxyVersion,
  TcpmuxService,
} from "../table/service.ts";
import { timeLeft, type TimerList } from "../timers.ts";
import type { Conn } from "../transport/transport.ts";
import type {
  Held,
  Opening,
  RunningService,
  SessionContext,
} from "./service.ts";

/** Connects to the first of the service's addresses that answers. */
export async function openConnect(
  service: ConnectService,
  context: SessionContext,
): Opening {
  const { name, connectTimeout: timeout, message, ready } = service;
  const { observer, transport: { timers } } = context.server;
  const failures: string[] = [];
  for (const endpoint of service.upstreams) {
    try {
      const begin = performance.now();
      const conn = await reachUpstream(service, endpoint, context, begin);
      if (ready === "connected") return new Upstream(message, conn);
      const wait: FirstByte = { endpoint, timeout, begin };
      const first = await firstBytes(conn, wait, timers);
      return new Upstream(message, conn, first);
    } catch (error) {
      if (!(error instanceof TcpmuxError)) throw error;
      failures.push(messageOf(error));
      if (context.isStopped) break;
      observer?.upstreamFailed(name, endpoint);
    }
  }
  return unavailable(failures.join("; "));
}

/**
 * Connects to an upstream, tells it who the client is, and begins TLS, as the
 * service says. The session holds the connection.
 *
 * @param begin by `performance.now()`; all must be done within `connect_timeout`
 * @throws {TcpmuxError} and then the connection is closed
 */
export async function reachUpstream(
  service: ConnectService | TcpmuxService,
  endpoint: Endpoint,
  context: SessionContext,
  begin: number,
): Promise<Conn> {
  const { transport, observer, upstreamTls } = context.server;
  const { name, connectTimeout: timeout, proxyProtocol, tls } = service;
  const forTls = tls !== undefined;
  const attempt = dial(transport, endpoint, { timeout, forTls });
  context.hold(attempt);
  const conn = await attempt.conn;
  context.hold(conn);
  context.upstream = endpoint;
  observer?.upstreamAnswered(name, endpoint, performance.now() - begin);
  if (proxyProtocol !== undefined) {
    await announceClient(conn, { name, proxyProtocol }, context);
  }
  if (!forTls) return conn;
  const hold = (held: Held) => context.hold(held);
  const time = { timeout, begin, timers: transport.timers, hold };
  // A server in whose table a service has tls has this too.
  const secured = await upstreamTls!.secure(conn, service, endpoint, time);
  context.hold(secured);
  return secured;
}

export interface FirstByte {
  readonly endpoint: Endpoint;
  /** Milliseconds in all; 0 for no limit. */
  readonly timeout: number;
  /** When it began, by `performance.now()`. */
  readonly begin: number;
}

/**
 * What an upstream sends first. Without it, the connection is closed.
 *
 * @throws {TcpmuxError} when the upstream ends before, or sends nothing in time
 */
export async function firstBytes(
  conn: Conn,
  { endpoint, timeout, begin }: FirstByte,
  timers: TimerList,
): Promise<Uint8Array> {
  const what = `connected to ${formatEndpoint(endpoint)}, but it`;
  const timer = timers.after(timeLeft(timeout, begin), () => {
    const why = `${what} sent nothing in ${timeout} ms`;
    conn.interrupt(new TcpmuxError("timed_out", why));
  });
  try {
    const bytes = await conn.read();
    if (bytes !== null) return bytes;
    throw new TcpmuxError(
      "connection_reset",
      `${what} closed without sending a byte`,
    );
  } catch (error) {
    conn.abort();
    throw error;
  } finally {
    timer?.cancel();
  }
}

/** A server that has answered, and what it has sent with its answer. */
export class Upstream implements RunningService {
  readonly kind = "opened";
  readonly message: string;
  readonly conn: Conn;
  readonly first: Uint8Array | undefined;

  constructor(message: string, conn: Conn, first?: Uint8Array) {
    this.message = message;
    this.conn = conn;
    this.first = first;
  }

  abort(): void {
    this.conn.abort();
  }
}

/** A service whose upstream learns who the client is. */
interface Announcing {
  readonly name: string;
  readonly proxyProtocol: ProxyVersion;
}

/**
 * Writes the header of the PROXY protocol, which must be the first bytes to an
 * upstream. A new connection takes them at once. If it fails, the connection is
 * closed.
 */
async function announceClient(
  conn: Conn,
  { name, proxyProtocol }: Announcing,
  context: SessionContext,
): Promise<void> {
  // A proxy has one service for all names that its clients ask for.
  const { peer, requested: authority = name } = context;
  if (proxyProtocol === 2 && peer.remote.transport === "tcp") {
    // One that a proxy has announced goes on, so that all logs have the same.
    context.uniqueId ||= crypto.randomUUID();
  }
  const facts = { authority, uniqueId: context.uniqueId };
  try {
    await conn.write(proxyHeader(proxyProtocol, peer, facts));
  } catch (error) {
    conn.abort();
    throw error;
  }
}
