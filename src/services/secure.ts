import type { Endpoint } from "../endpoint.ts";
import type { ConnectService, TcpmuxService } from "../table/service.ts";
import type { Conn } from "../transport/transport.ts";
import type { SessionContext } from "./service.ts";

/**
 * Begins TLS with an upstream, within the time of the connection. If it fails,
 * the connection is closed.
 *
 * @param begin when the connection was begun, by `performance.now()`
 */
export async function secureUpstream(
  conn: Conn,
  service: ConnectService | TcpmuxService,
  endpoint: Endpoint,
  context: SessionContext,
  begin: number,
): Promise<Conn> {
  const { upstreamTls, transport: { timers } } = context.server;
  context.hold(conn);
  const hold = (held: { abort(): void }) => context.hold(held);
  const time = { timeout: service.connectTimeout, begin, timers, hold };
  // A server in whose table a service has tls has this too.
  return await upstreamTls!.secure(conn, service, endpoint, time);
}
