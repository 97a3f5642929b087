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
      return relayed(service.message, upstream, context.ending);
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
  return dial(context.transport, endpoint, {
    timeout,
    signal: context.ending,
  });
}

/** An upstream that has answered, as an opened service. */
export function relayed(
  message: string,
  upstream: Conn,
  ending: Cancel,
): Opened {
  return {
    kind: "opened",
    message,
    serve: async (client) => {
      await relay(client, upstream, ending);
      upstream.close();
      return "";
    },
    discard: () => upstream.abort(),
  };
}
