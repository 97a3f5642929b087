import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import type { TcpmuxError } from "../errors.ts";
import { after, type Timeout } from "../timeouts.ts";
import {
  BunConn,
  type BunHandlers,
  type BunSocket,
  HANDLERS,
} from "./bun_conn.ts";
import { cancelled, timedOut } from "./deadline.ts";
import { NetConn, netConnect } from "./net_conn.ts";
import type { QuietSocket } from "./quiet_socket.ts";
import type { Conn, ConnectOptions } from "./transport.ts";

/** The member of Bun that connecting needs. */
interface BunConnect {
  connect(
    options:
      & ({ hostname: string; port: number } | { unix: string })
      & { allowHalfOpen: boolean; data: Attempt; socket: ConnectHandlers },
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
      ? new Attempt(this, endpoint, address, options).start()
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
class Attempt {
  #connector: BunConnector;
  #endpoint: Endpoint;
  #address: string;
  #options: ConnectOptions;
  #resolve!: (conn: Conn | Promise<Conn>) => void;
  #reject!: (error: TcpmuxError) => void;
  #timeout: Timeout | undefined;
  #over = false;

  constructor(
    connector: BunConnector,
    endpoint: Endpoint,
    address: string,
    options: ConnectOptions,
  ) {
    this.#connector = connector;
    this.#endpoint = endpoint;
    this.#address = address;
    this.#options = options;
  }

  start(): Promise<Conn> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#begin();
    });
  }

  #begin(): void {
    const { signal, timeout = 0 } = this.#options;
    if (signal?.aborted) return this.handleEvent();
    signal?.addEventListener("abort", this, { once: true });
    if (timeout > 0) this.#timeout = after(timeout, this);
    this.#connector.began();
    this.#connect();
  }

  /** Its promise is not needed: the handlers are told, whatever happens. */
  #connect(): void {
    const endpoint = this.#endpoint;
    const options = { allowHalfOpen: true, data: this, socket: CONNECTING };
    Bun.connect(
      endpoint.transport === "unix"
        ? { unix: endpoint.path, ...options }
        : { hostname: endpoint.host, port: endpoint.port, ...options },
    );
  }

  connected(socket: BunSocket): void {
    this.#connector.ended();
    socket.data = undefined;
    if (!this.#finish()) return socket.terminate();
    const conn = new BunConn(socket, undefined, this.#endpoint);
    socket.data = conn;
    this.#resolve(conn);
  }

  /** Bun calls most failures refusals: another way has to find out why. */
  failed(): void {
    this.#connector.ended();
    this.#connector.failed(this.#address);
    if (!this.#finish()) return;
    const retry = this.#connector;
    this.#resolve(
      retry.byNode(this.#endpoint, this.#address, this.#options),
    );
  }

  /** The word to stop. */
  handleEvent(): void {
    this.#giveUp(cancelled(this.#what, this.#options.signal));
  }

  expired(): void {
    this.#giveUp(timedOut(this.#what, this.#options.timeout!));
  }

  #giveUp(error: TcpmuxError): void {
    this.#connector.failed(this.#address);
    if (this.#finish()) this.#reject(error);
  }

  /** @returns whether it was still under way */
  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timeout?.cancel();
    this.#options.signal?.removeEventListener("abort", this);
    return true;
  }

  get #what(): string {
    return `cannot connect to ${this.#address}`;
  }
}

const CONNECTING: ConnectHandlers = {
  ...HANDLERS,
  open: (socket) => (socket.data as Attempt).connected(socket),
  connectError: (socket) => (socket.data as Attempt).failed(),
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
  if (early !== null) conn.arrived(early);
  return conn;
}
