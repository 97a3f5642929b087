import type { OnReadOpts } from "node:net";
import { type Endpoint, localEnd, type Peer, UNNAMED } from "../../endpoint.ts";
import { ConnectAttempt } from "../attempt.ts";
import type { AttemptOptions, Conn } from "../transport.ts";
import { QuietSocket, type SocketOwner } from "./conn.ts";

/** Makes a connection of a socket that has just been connected. */
export type ToConn = (socket: QuietSocket, ends: Peer) => Conn;

/** `Transport.connect` by `node:net`, once it is started. */
export class NetAttempt extends ConnectAttempt implements SocketOwner {
  readonly #toConn: ToConn;
  readonly #onread: OnReadOpts | undefined;
  #socket: QuietSocket | undefined;

  /**
   * @param toConn makes the connection
   * @param onread how the socket reads; by default as the stream does
   */
  constructor(
    endpoint: Endpoint,
    options: AttemptOptions,
    toConn: ToConn,
    onread?: OnReadOpts,
  ) {
    super(endpoint, options);
    this.#toConn = toConn;
    this.#onread = onread;
  }

  protected override connect(): void {
    const { endpoint: remote } = this;
    const socket = this.#socket = new QuietSocket({
      allowHalfOpen: true,
      // The constructor takes this option, which its types do not have.
      ...{ noDelay: true },
      ...(this.#onread === undefined ? {} : { onread: this.#onread }),
    });
    socket.own(this);
    socket.connect(
      remote.transport === "unix"
        ? { path: remote.path }
        : { host: remote.host, port: remote.port },
      () => {
        const local = remote.transport === "unix" ? UNNAMED : localEnd(socket);
        this.succeed(this.#toConn(socket, { local, remote }));
      },
    );
  }

  broke(error: Error): void {
    this.fail(error);
  }

  /** Without an error before it, the socket was closed while it connected. */
  closed(): void {
    this.fail({ code: "ECONNABORTED" });
  }

  protected override giveUp(): void {
    this.#socket!.destroy();
  }
}
