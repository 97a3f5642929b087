import { readReply } from "../connect.ts";
import { codeOf, messageOf } from "../errors.ts";
import { refusal, unavailable } from "../policy/decide.ts";
import { PushbackConn } from "../pushback_conn.ts";
import type { TcpmuxService } from "../table/service.ts";
import type { Conn } from "../transport/transport.ts";
import { requestLine } from "../wire.ts";
import type { Opening, ServiceContext } from "./opened.ts";
import { dialUpstream, Relayed } from "./connect.ts";

/** A service of another TCPMUX server, whose reply is passed on. */
export async function openChained(
  service: TcpmuxService,
  context: ServiceContext,
): Opening {
  const { upstream: endpoint, remoteName, connectTimeout: timeout } = service;
  const { ending: signal } = context;
  let conn: Conn | undefined;
  try {
    conn = await dialUpstream(endpoint, timeout, context);
    await conn.write(requestLine(remoteName));
    const reply = await readReply(conn, { timeout, signal });
    if (!reply.positive) {
      conn.close();
      const reason = `the other server refused: ${reply.message}`;
      return refusal("failed", reason, reply.message, "refused");
    }
    // The server behind speaks first: its bytes may have come with its reply.
    const upstream = new PushbackConn(conn);
    upstream.unread(reply.rest);
    return new Relayed(reply.message, upstream);
  } catch (error) {
    conn?.abort();
    return unavailable(messageOf(error), codeOf(error));
  }
}
