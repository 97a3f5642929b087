import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { messageOf, TcpmuxError } from "./errors.ts";
import { withDeadline } from "./transport/deadline.ts";
import { fromSystem } from "./transport/errno.ts";
import type { Conn, ConnectOptions, Transport } from "./transport/transport.ts";

/**
 * Connects to an address or a host name. The addresses of a name are tried
 * in the resolver's order until one answers; the time-out is for all of them.
 *
 * @throws {TcpmuxError} `host_not_found`, `timed_out`, `cancelled`, or the
 * code of the last address's failure
 */
export function dial(
  transport: Transport,
  endpoint: Endpoint,
  options: ConnectOptions = {},
): Promise<Conn> {
  if (endpoint.transport === "unix" || isIP(endpoint.host) !== 0) {
    return transport.connect(endpoint, options);
  }
  const what = `cannot connect to ${formatEndpoint(endpoint)}`;
  return withDeadline(what, options, async (signal) => {
    const hosts = await abortable(resolve(endpoint.host, what), signal);
    const failures: TcpmuxError[] = [];
    for (const host of hosts) {
      try {
        return await transport.connect({ ...endpoint, host }, { signal });
      } catch (error) {
        if (signal.aborted) throw error;
        failures.push(fromSystem(error, what));
      }
    }
    throw new TcpmuxError(
      failures.at(-1)?.code ?? "host_not_found",
      failures.map(messageOf).join("; ") || `${what}: the name has no address`,
      { address: formatEndpoint(endpoint), cause: failures.at(-1) },
    );
  });
}

async function resolve(host: string, what: string): Promise<string[]> {
  try {
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => address);
  } catch (error) {
    throw fromSystem(error, what, { address: host });
  }
}

/** A name look-up cannot be cancelled; its result is then left alone. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", abort);
    });
  });
}
