import { dial } from "../dial.ts";
import type { Endpoint } from "../endpoint.ts";
import { messageOf, TcpmuxError } from "../errors.ts";
import { unavailable } from "../policy/refusal.ts";
import type { ConnectService } from "../table/service.ts";
import type { Conn } from "../transport/transport.ts";
import type {
  OpenedService,
  Opening,
  RunningService,
  SessionContext,
} from "./service.ts";

/** Connects to the first of the service's addresses that answers. */
export async function openConnect(
  service: ConnectService,
  context: SessionContext,
): Opening {
  const failures: string[] = [];
  for (const endpoint of service.upstreams) {
    try {
      const { connectTimeout } = service;
      const conn = await dialUpstream(endpoint, connectTimeout, context);
      return new Upstream(service.message, conn);
    } catch (error) {
      if (!(error instanceof TcpmuxError)) throw error;
      failures.push(messageOf(error));
      if (context.isStopped) break;
    }
  }
  return unavailable(failures.join("; "));
}

/**
 * Connects to one upstream; the session aborts the attempt when it must end.
 *
 * @param timeout milliseconds; 0 for no limit
 */
export function dialUpstream(
  endpoint: Endpoint,
  timeout: number,
  context: SessionContext,
): Promise<Conn> {
  const attempt = dial(context.server.transport, endpoint, { timeout });
  context.hold(attempt);
  return attempt.conn;
}

/** A server that has answered, and what it has sent with its answer. */
export class Upstream implements OpenedService, RunningService {
  readonly kind = "opened";
  readonly message: string;
  readonly peer: Conn;
  readonly first: Uint8Array | undefined;

  constructor(message: string, peer: Conn, first?: Uint8Array) {
    this.message = message;
    this.peer = peer;
    this.first = first;
  }

  begin(): RunningService {
    return this;
  }

  abort(): void {
    this.peer.abort();
  }

  discard(): void {
    this.peer.abort();
  }
}
