import type { OnReadOpts } from "node:net";
import { connectedEnds, type Endpoint, type Peer } from "../../endpoint.ts";
import type { TimerList } from "../../timers.ts";
import { ConnectAttempt } from "../attempt.ts";
import type { Attempt, AttemptOptions, Conn } from "../transport.ts";
import { NetConn, QuietSocket, type SocketOwner } from "./conn.ts";

/** What a runtime does with a socket of its own accord. */
export interface OwnWay {
  /** Makes a connection of the socket that has just been connected. */
  toConn(socket: QuietSocket, ends: Peer): Conn;
  /** How the socket reads; by default as the stream does. */
  readonly onread?: OnReadOpts;
}

/** Connects by the documented `node:net` alone. */
export function netConnect(
  endpoint: Endpoint,
  options: AttemptOptions,
  timers: TimerList,
): Attempt {
  return new NetAttempt(endpoint, options, timers).start(timers);
}

/** `Transport.connect` by `node:net`, once it is started. */
export class NetAttempt extends ConnectAttempt implements SocketOwner {
  readonly #netTimers: TimerList;
  #ownWay: OwnWay | undefined;
  #socket: QuietSocket | undefined;

  constructor(
    endpoint: Endpoint,
    options: AttemptOptions,
    timers: TimerList,
    ownWay?: OwnWay,
  ) {
    super(endpoint, options);
    this.#netTimers = timers;
    this.#ownWay = ownWay;
  }

  protected override connect(): void {
    const { endpoint: to } = this;
    // It is for one socket: another one, after an answer that was no result,
    // is as the documented `node:net` has it.
    const ownWay = this.#ownWay;
    this.#ownWay = undefined;
    const connected = () => {
      const ends = connectedEnds(socket, to);
      this.succeed(
        ownWay === undefined
          ? new NetConn(socket, ends, this.#netTimers)
          : ownWay.toConn(socket, ends),
      );
    };
    const socket = this.#socket = new QuietSocket({
      allowHalfOpen: true,
      // The constructor takes this option, which its types do not have.
      ...{ noDelay: true },
      ...(ownWay?.onread === undefined ? {} : { onread: ownWay.onread }),
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
