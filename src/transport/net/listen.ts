import { createServer, type Server } from "node:net";
import {
  type Endpoint,
  formatEndpoint,
  isOneAddress,
  localEnd,
  remoteEnd,
  tcpEnd,
  UNNAMED,
} from "../../endpoint.ts";
import type { TimerList } from "../../timers.ts";
import { fromSystem } from "../errno.ts";
import { PushedListener } from "../pushed_listener.ts";
import type { Conn, Listener, ListenOptions } from "../transport.ts";
import { NetConn, QuietSocket } from "./conn.ts";

/** How connections are taken from a server of `node:net`. */
export type TakeConnections = (server: Server, listener: NetListener) => void;

/** Takes connections by the documented event of a server. */
export const byConnectionEvent: TakeConnections = (server, listener) => {
  server.on("connection", (accepted) => {
    const socket = QuietSocket.of(accepted);
    listener.accepted(
      socket,
      (local, remote) => new NetConn(socket, local, remote, listener.timers),
    );
  });
};

/** `Transport.listen` by `node:net`. */
export function netListen(
  endpoint: Endpoint,
  options: ListenOptions,
  timers: TimerList,
  takeConnections = byConnectionEvent,
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      pauseOnConnect: true,
    });
    server.once("error", (error) => {
      const address = formatEndpoint(endpoint);
      reject(fromSystem(error, `cannot listen on ${address}`, { address }));
    });
    server.listen({
      ...(endpoint.transport === "unix"
        ? { path: endpoint.path }
        : { host: endpoint.host, port: endpoint.port }),
      backlog: options.backlog ?? 511,
    }, () => {
      server.removeAllListeners("error");
      const listener = new NetListener(server, bound(server, endpoint), timers);
      takeConnections(server, listener);
      resolve(listener);
    });
  });
}

export class NetListener extends PushedListener {
  readonly endpoint: Endpoint;
  /** The deadlines of its connections. */
  readonly timers: TimerList;
  readonly #server: Server;
  readonly #isOneAddress: boolean;

  constructor(server: Server, endpoint: Endpoint, timers: TimerList) {
    super();
    this.#server = server;
    this.timers = timers;
    this.endpoint = endpoint;
    this.#isOneAddress = isOneAddress(endpoint);
    server.on("error", (error) => {
      this.fail(fromSystem(error, "cannot accept"));
    });
  }

  /** Hands out a connection over a socket that was accepted. */
  accepted(
    socket: QuietSocket,
    toConn: (local: Endpoint | undefined, remote: Endpoint) => Conn,
  ): void {
    const { endpoint } = this;
    if (endpoint.transport === "unix") {
      return this.push(toConn(endpoint, UNNAMED));
    }
    const remote = remoteEnd(socket);
    if (remote !== undefined) {
      const local = this.#isOneAddress ? endpoint : localEnd(socket);
      return this.push(toConn(local, remote));
    }
    socket.on("error", () => {}); // the client left before it was accepted
    socket.destroy();
  }

  protected stop(): void {
    this.#server.close();
  }
}

function bound(server: Server, endpoint: Endpoint): Endpoint {
  const address = server.address();
  return endpoint.transport === "tcp" && address !== null &&
      typeof address === "object"
    ? tcpEnd(address.address, address.port)
    : endpoint;
}
