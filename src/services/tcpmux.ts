import { readReply } from "../dial.ts";
import { TcpmuxError } from "../errors.ts";
import { refusal, unavailable } from "../policy/refusal.ts";
import type { TcpmuxService } from "../table/service.ts";
import type { Conn } from "../transport/transport.ts";
import { requestLine } from "../wire.ts";
import { reachUpstream, Upstream } from "./connect.ts";
import type { Opening, SessionContext } from "./service.ts";

/** Opens a service of another TCPMUX server, and passes its reply on. */
export async function openTcpmux(
  service: TcpmuxService,
  context: SessionContext,
): Opening {
  const { name, upstream: endpoint, remoteName } = service;
  const { connectTimeout: timeout } = service;
  const { observer, transport: { timers } } = context.server;
  const begin = performance.now();
  let conn: Conn | undefined;
  try {
    conn = await reachUpstream(service, endpoint, context, begin);
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
