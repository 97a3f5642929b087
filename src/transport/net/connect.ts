import type { OnReadOpts } from "node:net";
import { connectedEnds, type Endpoint, type Peer } from "../../endpoint.ts";
import type { TimerList } from "../../timers.ts";
import { ConnectAttempt } from "../attempt.ts";
import type { Attempt, AttemptOptions, Conn } from "../transport.ts";
import { NetConn, QuietSocket, type SocketOwner } from "./conn.ts";

/** Makes a connection of a socket that has just been connected. */
export type ToConn = (socket: QuietSocket, ends: Peer) => Conn;

/** Connects by the documented `node:net` alone. */
export function netConnect(
  endpoint: Endpoint,
  options: AttemptOptions,
  timers: TimerList,
): Attempt {
  return new NetAttempt(
    endpoint,
    options,
    (socket, ends) => new NetConn(socket, ends, timers),
  ).start(timers);
}

/** `Transport.connect` by `node:net`, once it is started. */
export class NetAttempt extends ConnectAttempt implements SocketOwner {
  readonly #toConn: ToConn;
  readonly #onread: (() => OnReadOpts) | undefined;
  #socket: QuietSocket | undefined;

  /**
   * @param toConn makes the connection
   * @param onread how the next socket reads; by default as the stream does
   */
  constructor(
    endpoint: Endpoint,
    options: AttemptOptions,
    toConn: ToConn,
    onread?: () => OnReadOpts,
  ) {
    super(endpoint, options);
    this.#toConn = toConn;
    this.#onread = onread;
  }

  protected override connect(): void {
    const { endpoint: to } = this;
    const connected = () => {
      const ends = connectedEnds(socket, to);
      this.succeed(this.#toConn(socket, ends));
    };
    const socket = this.#socket = new QuietSocket({
      allowHalfOpen: true,
      // The constructor takes this option, which its types do not have.
      ...{ noDelay: true },
      ...(this.#onread === undefined ? {} : { onread: this.#onread() }),
    });
    socket.own(this);
    try {
      if (to.transport === "unix") socket.connect(to.path, connected);
      else socket.connect(to.port, to.host, connected);
    } catch (error) {
      this.broke(error as Error);
    }
  }

  broke(error: Error): void {
    this.#socket!.own(NOBODY); // it closes, which is no second failure
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

const NOBODY: SocketOwner = { broke() {} };
