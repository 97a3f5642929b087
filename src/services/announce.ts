import { proxyHeader } from "../handshake/proxy_protocol.ts";
import type { ProxyVersion } from "../table/service.ts";
import type { Conn } from "../transport/transport.ts";
import type { SessionContext } from "./service.ts";

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
export async function announceClient(
  conn: Conn,
  { name, proxyProtocol }: Announcing,
  context: SessionContext,
): Promise<void> {
  context.hold(conn);
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
