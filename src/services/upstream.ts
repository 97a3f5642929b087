import type { ClientConn } from "../client_conn.ts";
import { dial } from "../dial.ts";
import type { Endpoint } from "../endpoint.ts";
import { messageOf } from "../errors.ts";
import { unavailable } from "../policy/decide.ts";
import { relay } from "../relay.ts";
import type { ConnectService } from "../table/service.ts";
import type { Cancel } from "../transport/cancel.ts";
import type { Conn } from "../transport/transport.ts";
import type { Opened, Opening, ServiceContext } from "./opened.ts";

/** An existing server: the first of its addresses that answers. */
export async function openUpstream(
  service: ConnectService,
  context: ServiceContext,
): Opening {
  const failures: string[] = [];
  for (const endpoint of service.upstreams) {
    try {
      const upstream = await dialUpstream(
        endpoint,
        service.connectTimeout,
        context,
      );
      return new Relayed(service.message, upstream, context.ending);
    } catch (error) {
      failures.push(messageOf(error));
      if (context.ending.aborted) break;
    }
  }
  return unavailable(failures.join("; "));
}

export function dialUpstream(
  endpoint: Endpoint,
  timeout: number,
  context: ServiceContext,
): Promise<Conn> {
  const { premises, ending: signal } = context;
  const dialling = dial(premises.transport, endpoint, { timeout, signal });
  context.dialling(endpoint, dialling);
  return dialling;
}

/** An upstream that has answered, as an opened service. */
export class Relayed implements Opened {
  readonly kind = "opened";
  readonly message: string;
  #upstream: Conn;
  #ending: Cancel;

  constructor(message: string, upstream: Conn, ending: Cancel) {
    this.message = message;
    this.#upstream = upstream;
    this.#ending = ending;
  }

  serve(client: ClientConn): Promise<void> {
    return relay(client, this.#upstream, this.#ending);
  }

  discard(): void {
    this.#upstream.abort();
  }
}
