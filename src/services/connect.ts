import type { ClientConn } from "../client_conn.ts";
import { dial } from "../dial.ts";
import type { Endpoint } from "../endpoint.ts";
import { messageOf } from "../errors.ts";
import { unavailable } from "../policy/decide.ts";
import { Relay, type Told } from "../relay.ts";
import type { ConnectService } from "../table/service.ts";
import type { Conn } from "../transport/transport.ts";
import type { Ongoing, Opened, Opening, ServiceContext } from "./opened.ts";

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
      return new Relayed(service.message, upstream);
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

  constructor(message: string, upstream: Conn) {
    this.message = message;
    this.#upstream = upstream;
  }

  serve(client: ClientConn, told: Told): Ongoing {
    const relay = new Relay(client, this.#upstream, told);
    relay.start();
    return relay;
  }

  discard(): void {
    this.#upstream.abort();
  }
}
