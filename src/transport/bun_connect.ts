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
      & { allowHalfOpen: true; data: Attempt; socket: BunHandlers },
  ): Promise<unknown>;
}
declare const Bun: BunConnect;

/**
 * Where the last attempt was answered. Bun's own connect can neither time out
 * nor be cancelled: given up, it holds its descriptor for the two minutes
 * that the kernel tries. So it is for addresses that answer, and for a
 * bounded number at a time; all else goes through `node:net`.
 */
const answering = new Set<string>();
const MAX_ANSWERING = 1024;

/** Attempts of Bun's own that are under way, given up or not. */
let pending = 0;
const MAX_PENDING = 64;

export function bunConnect(
  endpoint: Endpoint,
  options: ConnectOptions = {},
): Promise<Conn> {
  const address = formatEndpoint(endpoint);
  return answering.has(address) && pending < MAX_PENDING
    ? new Promise((resolve, reject) => {
      new Attempt(endpoint, address, options, { resolve, reject }).start();
    })
    : connectByNode(endpoint, address, options);
}

async function connectByNode(
  endpoint: Endpoint,
  address: string,
  options: ConnectOptions,
): Promise<Conn> {
  const conn = await netConnect(endpoint, options, adopt);
  if (answering.size >= MAX_ANSWERING) answering.clear();
  answering.add(address);
  return conn;
}

interface Settle {
  resolve(conn: Conn | Promise<Conn>): void;
  reject(error: TcpmuxError): void;
}

/** One attempt of Bun's own. */
class Attempt {
  #endpoint: Endpoint;
  #address: string;
  #options: ConnectOptions;
  #settle: Settle;
  #timeout: Timeout | undefined;
  #over = false;

  constructor(
    endpoint: Endpoint,
    address: string,
    options: ConnectOptions,
    settle: Settle,
  ) {
    this.#endpoint = endpoint;
    this.#address = address;
    this.#options = options;
    this.#settle = settle;
  }

  start(): void {
    const { signal, timeout = 0 } = this.#options;
    if (signal?.aborted) return this.#cancel();
    signal?.addEventListener("abort", this.#cancel, { once: true });
    if (timeout > 0) {
      this.#timeout = after(timeout, () => {
        this.#giveUp(timedOut(this.#what, timeout));
      });
    }
    pending++;
    const endpoint = this.#endpoint;
    Bun.connect({
      ...(endpoint.transport === "unix"
        ? { unix: endpoint.path }
        : { hostname: endpoint.host, port: endpoint.port }),
      allowHalfOpen: true,
      data: this,
      socket: CONNECTING,
    }).catch(this.#failed);
  }

  connected(socket: BunSocket): void {
    pending--;
    socket.data = undefined;
    if (!this.#finish()) return socket.terminate();
    const conn = new BunConn(socket, undefined, this.#endpoint);
    socket.data = conn;
    this.#settle.resolve(conn);
  }

  /** Bun calls every failure a refusal: another way has to find out why. */
  #failed = (): void => {
    pending--;
    answering.delete(this.#address);
    if (!this.#finish()) return;
    const { resolve } = this.#settle;
    resolve(connectByNode(this.#endpoint, this.#address, this.#options));
  };

  #cancel = (): void => {
    this.#giveUp(cancelled(this.#what, this.#options.signal));
  };

  #giveUp(error: TcpmuxError): void {
    answering.delete(this.#address);
    if (this.#finish()) this.#settle.reject(error);
  }

  /** @returns whether it was still under way */
  #finish(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#timeout?.cancel();
    this.#options.signal?.removeEventListener("abort", this.#cancel);
    return true;
  }

  get #what(): string {
    return `cannot connect to ${this.#address}`;
  }
}

const CONNECTING: BunHandlers = {
  ...HANDLERS,
  open: (socket) => (socket.data as Attempt).connected(socket),
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
