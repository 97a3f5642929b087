import { readReply } from "../dial.ts";
import { TcpmuxError } from "../errors.ts";
import { refusal, unavailable } from "../policy/refusal.ts";
import type { TcpmuxService } from "../table/service.ts";
import type { Conn } from "../transport/transport.ts";
import { requestLine } from "../wire.ts";
import { dialUpstream, Upstream } from "./connect.ts";
import type { Opening, SessionContext } from "./service.ts";

/** Opens a service of another TCPMUX server, and passes its reply on. */
export async function openTcpmux(
  service: TcpmuxService,
  context: SessionContext,
): Opening {
  const { upstream: endpoint, remoteName, connectTimeout: timeout } = service;
  let conn: Conn | undefined;
  try {
    conn = await dialUpstream(endpoint, timeout, context);
    context.hold(conn);
    await conn.write(requestLine(remoteName));
    const { timers } = context.server.transport;
    const reply = await readReply(conn, { timeout, timers });
    if (reply.positive) return new Upstream(reply.message, conn, reply.rest);
    conn.close();
    const reason = `the other server refused: ${reply.message}`;
    return refusal("failed", reason, reply.message, "refused");
  } catch (error) {
    conn?.abort();
    if (!(error instanceof TcpmuxError)) throw error;
    return unavailable(error.message, error.code);
  }
}
