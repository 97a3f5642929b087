/** Connecting on Bun: https://bun.com/docs/api/tcp */
import { isIP } from "node:net";
import {
  connectedEnds,
  type Endpoint,
  formatEndpoint,
  type TcpEndpoint,
} from "../../endpoint.ts";
import { codeOf } from "../../errors.ts";
import type { TimerList } from "../../timers.ts";
import { ConnectAttempt } from "../attempt.ts";
import { NetAttempt, netConnect } from "../net/connect.ts";
import type { Attempt, AttemptOptions, Transport } from "../transport.ts";
import { connectedTo, type Libc } from "../net/libc.ts";
import { isListenedOn } from "../net/listen.ts";
import { BunConn } from "./conn.ts";
import { adopt } from "./internals.ts";
import { type BunHandlers, type BunSocket, HANDLERS } from "./socket.ts";

/** The members of Bun that connecting needs. */
declare const Bun: {
  udpSocket(options: {
    hostname: string;
    connect: { hostname: string; port: number };
  }): Promise<{ close(): void }>;
  connect(
    options:
      & ({ hostname: string; port: number } | { fd: number })
      & { allowHalfOpen: boolean; data: BunAttempt; socket: ConnectHandlers },
  ): unknown;
};
interface ConnectHandlers extends BunHandlers {
  connectError(socket: BunSocket): void;
}

/** Attempts of Bun's own at a time, including those that were given up. */
const MAX_PENDING = 64;

/** The most addresses that are remembered as answering. */
const MAX_ANSWERING = 1024;

export function bunConnect(
  timers: TimerList,
  libc: Libc,
): Transport["connect"] {
  const connector = new BunConnector(timers, libc);
  return (endpoint, options = {}) =>
    options.forTls
      ? netConnect(endpoint, options, timers)
      : new BunAttempt(connector, endpoint, options).start(timers);
}

/**
 * Bun's own connect can neither time out nor be cancelled: after it was given
 * up, it holds its descriptor for the two minutes that the kernel tries. So it
 * is used for addresses that answered the last time, and only for a bounded
 * number at a time. All others are connected to by `node:net`.
 */
class BunConnector {
  readonly libc: Libc;
  readonly #timers: TimerList;
  readonly #answering = new Set<string>();
  #pending = 0;

  constructor(timers: TimerList, libc: Libc) {
    this.#timers = timers;
    this.libc = libc;
  }

  /** @returns whether an attempt of Bun's own may begin, and counts it */
  begin(address: string): boolean {
    const may = this.#answering.has(address) && this.#pending < MAX_PENDING;
    if (may) this.#pending++;
    return may;
  }

  /** An attempt of Bun's own has ended. */
  ended(): void {
    this.#pending--;
  }

  answered(address: string): void {
    if (this.#answering.size >= MAX_ANSWERING) this.#answering.clear();
    this.#answering.add(address);
  }

  silent(address: string): void {
    this.#answering.delete(address);
  }

  byNode(endpoint: Endpoint): Attempt {
    const timers = this.#timers;
    return new NetAttempt(endpoint, {}, timers, {
      toConn: (socket, ends) => adopt(socket, ends, timers),
    }).start(timers);
  }

  connOf(socket: BunSocket, remote: Endpoint): BunConn {
    return new BunConn(socket, connectedEnds(socket, remote), this.#timers);
  }
}

class BunAttempt extends ConnectAttempt {
  readonly #connector: BunConnector;
  readonly #address: string;
  #byNode: Attempt | undefined;

  constructor(
    connector: BunConnector,
    endpoint: Endpoint,
    options: AttemptOptions,
  ) {
    super(endpoint, options);
    this.#connector = connector;
    this.#address = formatEndpoint(endpoint);
  }

  /** Bun's promise is not used: it calls one of its handlers in any case. */
  protected override connect(): void {
    const { endpoint } = this;
    if (endpoint.transport === "unix") {
      return this.#connectToPath(endpoint.path);
    }
    if (!this.#connector.begin(this.#address)) {
      this.#connectByNode();
      return;
    }
    const { host: hostname, port } = endpoint;
    try {
      Bun.connect({
        hostname,
        port,
        allowHalfOpen: true,
        data: this,
        socket: CONNECTING,
      });
    } catch {
      this.failed();
    }
  }

  /**
   * Bun says of a Unix socket whose server has answered and closed at once that
   * connecting has failed, and drops the answer. A descriptor that is connected
   * already it takes as it is.
   */
  #connectToPath(path: string): void {
    const { functions } = this.#connector.libc;
    const fd = functions && connectedTo(functions, path);
    if (fd === undefined) {
      this.#connectByNode();
      return;
    }
    try {
      Bun.connect({
        fd,
        allowHalfOpen: true,
        data: this,
        socket: CONNECTING,
      });
    } catch (error) {
      functions!.close(fd);
      this.fail(error);
    }
  }

  connected(socket: BunSocket): void {
    if (this.endpoint.transport === "tcp") this.#connector.ended();
    socket.data = undefined;
    if (this.isOver) return socket.terminate();
    const conn = this.#connector.connOf(socket, this.endpoint);
    socket.data = conn;
    this.succeed(conn);
  }

  /** Bun reports most failures as refusals: `node:net` finds the reason. */
  failed(): void {
    if (this.endpoint.transport === "tcp") this.#connector.ended();
    this.#connector.silent(this.#address);
    if (!this.isOver) this.#connectByNode();
  }

  async #connectByNode(): Promise<void> {
    this.#byNode = this.#connector.byNode(this.endpoint);
    try {
      const conn = await this.#byNode.conn;
      if (this.isOver) return conn.abort();
      this.#connector.answered(this.#address);
      this.succeed(conn);
    } catch (error) {
      this.fail(await reasonOf(error, this.endpoint));
    }
  }

  protected override giveUp(): void {
    this.#byNode?.abort();
    this.#connector.silent(this.#address);
  }
}

/** The system's answer, where Bun reports a refusal in its place. */
async function reasonOf(error: unknown, to: Endpoint): Promise<unknown> {
  if (codeOf(error) !== "connection_refused") return error;
  if (to.transport === "tcp") return await missingRoute(to) ?? error;
  const isQueueFull = await isListenedOn(to.path);
  return isQueueFull ? { code: "EAGAIN" } : error;
}

/**
 * The system's error where no route leads to an address. A datagram socket asks
 * for the route too when it is connected, and sends nothing.
 */
async function missingRoute({ host, port }: TcpEndpoint): Promise<unknown> {
  try {
    const socket = await Bun.udpSocket({
      hostname: isIP(host) === 6 ? "::" : "0.0.0.0",
      connect: { hostname: host, port },
    });
    socket.close();
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENETUNREACH" || code === "EHOSTUNREACH") return error;
  }
}

const CONNECTING: ConnectHandlers = {
  ...HANDLERS,
  open: (socket) => (socket.data as BunAttempt).connected(socket),
  connectError: (socket) => (socket.data as BunAttempt).failed(),
};
