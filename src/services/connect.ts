import { dial } from "../dial.ts";
import { messageOf, TcpmuxError } from "../errors.ts";
import { unavailable } from "../policy/refusal.ts";
import type { ConnectService } from "../table/service.ts";
import type { Conn } from "../transport/transport.ts";
import type { Opening, RunningService, SessionContext } from "./service.ts";

/** Connects to the first of the service's addresses that answers. */
export async function openConnect(
  service: ConnectService,
  context: SessionContext,
): Opening {
  const { transport } = context.server;
  const { connectTimeout: timeout } = service;
  const failures: string[] = [];
  for (const endpoint of service.upstreams) {
    const attempt = dial(transport, endpoint, { timeout });
    context.hold(attempt);
    try {
      return new Upstream(service.message, await attempt.conn);
    } catch (error) {
      if (!(error instanceof TcpmuxError)) throw error;
      failures.push(messageOf(error));
      if (context.isStopped) break;
    }
  }
  return unavailable(failures.join("; "));
}

/** A server that has answered, and what it has sent with its answer. */
export class Upstream implements RunningService {
  readonly kind = "opened";
  readonly message: string;
  readonly peer: Conn;
  readonly first: Uint8Array | undefined;

  constructor(message: string, peer: Conn, first?: Uint8Array) {
    this.message = message;
    this.peer = peer;
    this.first = first;
  }

  abort(): void {
    this.peer.abort();
  }

  discard(): void {
    this.peer.abort();
  }
}
