import type { OnReadOpts } from "node:net";
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { Attempt } from "./attempt.ts";
import { fromSystem } from "./errno.ts";
import { NetConn, UNNAMED } from "./net_conn.ts";
import { QuietSocket, type SocketListener } from "./quiet_socket.ts";
import type { Conn, ConnectOptions } from "./transport.ts";

/** Missing in the types of the constructor, which takes them. */
const NO_DELAY = {
  noDelay: true,
};

/** Makes a connection of a socket that has just been connected. */
type Wrap = (
  socket: QuietSocket,
  local: Endpoint | undefined,
  remote: Endpoint,
) => Conn;

/** `Transport.connect` by `node:net`. */
export function netConnect(
  endpoint: Endpoint,
  options: ConnectOptions = {},
  wrap: Wrap = (socket, local, remote) => new NetConn(socket, local, remote),
  onread?: OnReadOpts,
): Promise<Conn> {
  return new NetAttempt(endpoint, options, wrap, onread).start();
}

class NetAttempt extends Attempt implements SocketListener {
  #wrap: Wrap;
  #onread: OnReadOpts | undefined;
  #socket: QuietSocket | undefined;

  constructor(
    endpoint: Endpoint,
    options: ConnectOptions,
    wrap: Wrap,
    onread: OnReadOpts | undefined,
  ) {
    super(endpoint, options);
    this.#wrap = wrap;
    this.#onread = onread;
  }

  protected override connect(): void {
    const { endpoint } = this;
    const socket = this.#socket = new QuietSocket({
      allowHalfOpen: true,
      ...NO_DELAY,
      ...(this.#onread === undefined ? {} : { onread: this.#onread }),
    });
    socket.tell(this); // stays until there is another to hear of errors
    socket.connect(
      endpoint.transport === "unix"
        ? { path: endpoint.path }
        : { host: endpoint.host, port: endpoint.port },
    );
  }

  connected(): void {
    if (this.isOver) return;
    const { endpoint } = this;
    const local = endpoint.transport === "unix" ? UNNAMED : undefined;
    this.resolve(this.#wrap(this.#socket!, local, endpoint));
  }

  broke(error: Error): void {
    const address = formatEndpoint(this.endpoint);
    this.reject(fromSystem(error, this.what, { address }));
  }

  protected override givenUp(): void {
    this.#socket!.destroy();
  }
}
