import { ClientConn } from "../client_conn.ts";
import { messageOf } from "../errors.ts";
import { refusal, unavailable } from "../policy/decide.ts";
import type { TcpmuxService } from "../table/service.ts";
import { withDeadline } from "../transport/deadline.ts";
import type { Conn } from "../transport/transport.ts";
import { ReplyReader, requestLine } from "../wire.ts";
import type { Opening, ServiceContext } from "./opened.ts";
import { dialUpstream, relayed } from "./upstream.ts";

/** A service of another TCPMUX server, whose reply is passed on. */
export async function openChained(
  service: TcpmuxService,
  context: ServiceContext,
): Opening {
  const { upstream: endpoint, remoteName, connectTimeout: timeout } = service;
  let conn: Conn | undefined;
  try {
    conn = await dialUpstream(endpoint, timeout, context);
    await conn.write(requestLine(remoteName));
    const reply = await readReply(conn, timeout, context.signal);
    if (!reply.positive) {
      conn.close();
      const reason = `the other server refused: ${reply.message}`;
      return refusal("failed", reason, reply.message);
    }
    // The server behind speaks first: its bytes may have come with its reply.
    const upstream = new ClientConn(conn);
    upstream.unread(reply.rest);
    return relayed(reply.message, upstream, context.signal);
  } catch (error) {
    conn?.abort();
    return unavailable(messageOf(error));
  }
}

interface Reply {
  readonly positive: boolean;
  readonly message: string;
  readonly rest: Uint8Array;
}

function readReply(
  conn: Conn,
  timeout: number,
  signal: AbortSignal,
): Promise<Reply> {
  const what = "cannot read the other server's reply";
  return withDeadline(what, { timeout, signal }, async (ending) => {
    ending.addEventListener("abort", () => conn.abort(), { once: true });
    const reader = new ReplyReader();
    for (;;) {
      const bytes = await conn.read();
      if (bytes === null) throw new Error(`${what}: it closed without one`);
      const state = reader.push(bytes);
      if (state.state === "reply") return state;
      if (state.state === "malformed") throw new Error(state.why);
    }
  });
}
