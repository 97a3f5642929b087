import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { Attempt } from "./attempt.ts";
import { BunConn } from "./bun_conn.ts";
import { type BunHandlers, type BunSocket, HANDLERS } from "./bun_socket.ts";
import { NetConn } from "./net_conn.ts";
import { netConnect } from "./net_connect.ts";
import type { QuietSocket } from "./quiet_socket.ts";
import type { Conn, ConnectOptions } from "./transport.ts";

/** The member of Bun that connecting needs. */
interface BunConnect {
  connect(
    options:
      & ({ hostname: string; port: number } | { unix: string })
      & { allowHalfOpen: boolean; data: BunAttempt; socket: ConnectHandlers },
  ): unknown;
}
interface ConnectHandlers extends BunHandlers {
  connectError(socket: BunSocket): void;
}
declare const Bun: BunConnect;

/** Attempts of Bun's own that may be under way at a time, given up or not. */
const MAX_PENDING = 64;

/** Addresses that are remembered as answering. */
const MAX_ANSWERING = 1024;

/**
 * Connects for Bun. Its own connect can neither time out nor be cancelled:
 * given up, it holds its descriptor for the two minutes that the kernel
 * tries. So it is for addresses that answered the last time, and for a
 * bounded number at a time; all else goes through `node:net`.
 */
export class BunConnector {
  #answering = new Set<string>();
  #pending = 0;

  connect(endpoint: Endpoint, options: ConnectOptions = {}): Promise<Conn> {
    const address = formatEndpoint(endpoint);
    return this.#answering.has(address) && this.#pending < MAX_PENDING
      ? new BunAttempt(this, endpoint, address, options).start()
      : this.byNode(endpoint, address, options);
  }

  async byNode(
    endpoint: Endpoint,
    address: string,
    options: ConnectOptions,
  ): Promise<Conn> {
    const conn = await netConnect(endpoint, options, adopt);
    if (this.#answering.size >= MAX_ANSWERING) this.#answering.clear();
    this.#answering.add(address);
    return conn;
  }

  began(): void {
    this.#pending++;
  }

  /** The kernel has given its answer. */
  ended(): void {
    this.#pending--;
  }

  failed(address: string): void {
    this.#answering.delete(address);
  }
}

/** One attempt of Bun's own. */
class BunAttempt extends Attempt {
  #connector: BunConnector;
  #address: string;

  constructor(
    connector: BunConnector,
    endpoint: Endpoint,
    address: string,
    options: ConnectOptions,
  ) {
    super(endpoint, options);
    this.#connector = connector;
    this.#address = address;
  }

  /** Its promise is not needed: the handlers are told, whatever happens. */
  protected override connect(): void {
    this.#connector.began();
    const { endpoint } = this;
    const options = { allowHalfOpen: true, data: this, socket: CONNECTING };
    try {
      Bun.connect(
        endpoint.transport === "unix"
          ? { unix: endpoint.path, ...options }
          : { hostname: endpoint.host, port: endpoint.port, ...options },
      );
    } catch {
      this.failed();
    }
  }

  connected(socket: BunSocket): void {
    this.#connector.ended();
    socket.data = undefined;
    if (this.isOver) return socket.terminate();
    const conn = new BunConn(socket, undefined, this.endpoint);
    socket.data = conn;
    this.resolve(conn);
  }

  /** Bun calls most failures refusals: another way has to find out why. */
  failed(): void {
    this.#connector.ended();
    this.#connector.failed(this.#address);
    if (this.isOver) return;
    this.resolve(
      this.#connector.byNode(this.endpoint, this.#address, this.options),
    );
  }

  /** It holds its descriptor until the kernel has given up as well. */
  protected override givenUp(): void {
    this.#connector.failed(this.#address);
  }
}

const CONNECTING: ConnectHandlers = {
  ...HANDLERS,
  open: (socket) => (socket.data as BunAttempt).connected(socket),
  connectError: (socket) => (socket.data as BunAttempt).failed(),
};

/** What Bun keeps inside a socket of `node:net`; not documented. */
interface Adoptable {
  _handle?: BunSocket & { reload?(options: { socket: BunHandlers }): void };
}

/** Takes the socket of Bun's own out of one of `node:net`: it costs less. */
function adopt(
  socket: QuietSocket,
  local: Endpoint | undefined,
  remote: Endpoint,
): Conn {
  const { _handle: inner } = socket as Adoptable;
  if (inner?.reload === undefined) return new NetConn(socket, local, remote);
  const conn = new BunConn(inner, local, remote);
  inner.data = conn;
  inner.reload({ socket: HANDLERS });
  const early: Uint8Array | null = socket.read();
  // A copy, in memory that nobody else has a part of.
  if (early !== null) conn.arrived(new Uint8Array(early));
  return conn;
}
