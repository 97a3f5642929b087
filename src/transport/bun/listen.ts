/** Listening on Bun: https://bun.com/docs/api/tcp */
import { isIP } from "node:net";
import { acceptedEnds, type Endpoint, formatEndpoint } from "../../endpoint.ts";
import type { TimerList } from "../../timers.ts";
import { fromSystem } from "../errno.ts";
import { PushedListener } from "../pushed_listener.ts";
import type { Transport } from "../transport.ts";
import { BunConn } from "./conn.ts";
import { type BunHandlers, type BunSocket, HANDLERS } from "./socket.ts";

/** The member of Bun that listening needs, and no more. */
declare const Bun: {
  listen(
    options:
      & BunPlace
      & { allowHalfOpen: true; data: undefined; socket: BunHandlers },
  ): BunListenerSocket;
};
type BunPlace =
  | { hostname: string; port: number }
  | { unix: string }
  | { fd: number };
interface BunListenerSocket {
  readonly port?: number;
  stop(closeConnections: boolean): void;
}

export function bunListen(timers: TimerList): Transport["listen"] {
  // deno-lint-ignore require-await -- Bun listens at once; failing must reject
  return async (endpoint) => {
    try {
      return new BunListener(endpoint, timers);
    } catch (error) {
      const address = formatEndpoint(endpoint);
      const cause = lacksFamily(error, endpoint) ? NO_FAMILY : error;
      throw fromSystem(cause, `cannot listen on ${address}`, { address });
    }
  };
}

/** `Transport.listenOn` for Bun. */
// deno-lint-ignore require-await -- Bun listens at once; failing must reject
export async function bunListenOn(
  fd: number,
  endpoint: Endpoint = ANYWHERE,
  timers: TimerList,
): Promise<BunListener> {
  try {
    return new BunListener(endpoint, timers, { fd });
  } catch (error) {
    throw fromSystem(error, `cannot listen on descriptor ${fd}`);
  }
}

/** Stands for an address that Bun does not tell. */
const ANYWHERE: Endpoint = { transport: "tcp", host: "::", port: 0 };

/** The system's answer, of which Bun says only that it failed. */
const NO_FAMILY = { code: "EAFNOSUPPORT" };

/** Whether the machine has no IPv6: all other failures have a code. */
function lacksFamily(error: unknown, to: Endpoint): boolean {
  return to.transport === "tcp" && isIP(to.host) === 6 &&
    (error as { code?: unknown }).code === undefined;
}

function placeOf(endpoint: Endpoint): BunPlace {
  return endpoint.transport === "unix"
    ? { unix: endpoint.path }
    : { hostname: endpoint.host, port: endpoint.port };
}

class BunListener extends PushedListener {
  readonly endpoint: Endpoint;
  readonly #listener: BunListenerSocket;
  readonly #timers: TimerList;

  constructor(
    endpoint: Endpoint,
    timers: TimerList,
    place: BunPlace = placeOf(endpoint),
  ) {
    super();
    this.#timers = timers;
    this.#listener = Bun.listen({
      ...place,
      allowHalfOpen: true,
      data: undefined,
      socket: { ...HANDLERS, open: (socket) => this.#accepted(socket) },
    });
    const port = this.#listener.port;
    this.endpoint = endpoint.transport === "tcp" && port !== undefined
      ? { ...endpoint, port }
      : endpoint;
  }

  #accepted(socket: BunSocket): void {
    const ends = acceptedEnds(socket, this.endpoint);
    if (ends === undefined) return socket.terminate();
    const conn = new BunConn(socket, ends, this.#timers);
    socket.data = conn;
    this.push(conn);
  }

  protected stop(): void {
    this.#listener.stop(false);
  }
}
