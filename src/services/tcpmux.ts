import { dial, readReply } from "../dial.ts";
import { TcpmuxError } from "../errors.ts";
import { refusal, unavailable } from "../policy/refusal.ts";
import type { TcpmuxService } from "../table/service.ts";
import type { Conn } from "../transport/transport.ts";
import { requestLine } from "../wire.ts";
import { announceClient, secureUpstream, Upstream } from "./connect.ts";
import type { Opening, SessionContext } from "./service.ts";

/** Opens a service of another TCPMUX server, and passes its reply on. */
export async function openTcpmux(
  service: TcpmuxService,
  context: SessionContext,
): Opening {
  const { name, upstream: endpoint, remoteName } = service;
  const { connectTimeout: timeout, proxyProtocol, tls } = service;
  const { transport, observer } = context.server;
  const { timers } = transport;
  const begin = performance.now();
  const forTls = tls !== undefined;
  const attempt = dial(transport, endpoint, { timeout, forTls });
  context.hold(attempt);
  let conn: Conn | undefined;
  try {
    conn = await attempt.conn;
    context.upstream = endpoint;
    observer?.upstreamAnswered(name, endpoint, performance.now() - begin);
    context.hold(conn);
    if (proxyProtocol !== undefined) {
      await announceClient(conn, { name, proxyProtocol }, context);
    }
    if (forTls) {
      conn = await secureUpstream(conn, service, endpoint, context, begin);
      context.hold(conn);
    }
    await conn.write(requestLine(remoteName));
    // The time is for the connection and the reply together.
    const reply = await readReply(conn, { timeout, begin, timers });
    if (reply.positive) return new Upstream(reply.message, conn, reply.rest);
    conn.close();
    const reason = `the upstream refused: ${reply.message}`;
    return refusal("backend_refused", reason, reply.message, "refused");
  } catch (error) {
    conn?.abort();
    if (!(error instanceof TcpmuxError)) throw error;
    if (!context.isStopped) observer?.upstreamFailed(name, endpoint);
    return unavailable(error.message, error.code);
  }
}
