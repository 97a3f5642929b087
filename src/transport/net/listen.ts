/** Listens by documented `node:net`, and takes sockets that others have opened. */
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import {
  createServer,
  type ListenOptions as NetListenOptions,
  type OnReadOpts,
  type Server,
} from "node:net";
import { basename, dirname } from "node:path";
import {
  acceptedEnds,
  type Endpoint,
  formatEndpoint,
  type Peer,
  tcpEnd,
} from "../../endpoint.ts";
import type { TimerList } from "../../timers.ts";
import { fromSystem } from "../errno.ts";
import { PushedListener } from "../pushed_listener.ts";
import type { Listener, ListenOptions } from "../transport.ts";
import { NetConn, QuietSocket } from "./conn.ts";
import { NO_ENDS } from "./process_socket.ts";

/** How connections are taken from a server of `node:net`. */
export type TakeConnections = (server: Server, listener: NetListener) => void;

/** Takes connections by the documented event of a server. */
export const byConnectionEvent: TakeConnections = (server, listener) => {
  server.on("connection", (accepted) => {
    const socket = QuietSocket.of(accepted);
    const ends = acceptedEnds(socket, listener.endpoint);
    if (ends === undefined) return discard(socket);
    listener.push(new NetConn(socket, ends, listener.timers));
  });
};

/** Lets a socket go whose client left before it was accepted. */
export function discard(socket: QuietSocket): void {
  socket.on("error", () => {});
  socket.destroy();
}

/** `Transport.listen` by `node:net`. */
export function netListen(
  endpoint: Endpoint,
  options: ListenOptions,
  timers: TimerList,
  takeConnections = byConnectionEvent,
): Promise<Listener> {
  const address = formatEndpoint(endpoint);
  const place = {
    ...(endpoint.transport === "unix"
      ? { path: endpoint.path }
      : { host: endpoint.host, port: endpoint.port }),
    backlog: options.backlog ?? 511,
  };
  return listening(address, place, endpoint, timers, takeConnections);
}

/** `Transport.listenOn` by `node:net`. */
export function netListenOn(
  fd: number,
  endpoint: Endpoint = ANYWHERE,
  timers: TimerList,
  takeConnections = byConnectionEvent,
): Promise<Listener> {
  const address = `descriptor ${fd}`;
  return listening(address, { fd }, endpoint, timers, takeConnections);
}

/** Stands for an address that nobody knows yet. */
const ANYWHERE: Endpoint = { transport: "tcp", host: "::", port: 0 };

function listening(
  address: string,
  place: NetListenOptions | { readonly fd: number },
  endpoint: Endpoint,
  timers: TimerList,
  takeConnections: TakeConnections,
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      pauseOnConnect: true,
    });
    server.once("error", (error) => {
      const reason = whyUnbound(error, endpoint);
      reject(fromSystem(reason, `cannot listen on ${address}`, { address }));
    });
    server.listen(place, () => {
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

  constructor(server: Server, endpoint: Endpoint, timers: TimerList) {
    super();
    this.#server = server;
    this.timers = timers;
    this.endpoint = endpoint;
    server.on("error", (error) => {
      this.fail(fromSystem(error, "cannot accept"));
    });
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

/**
 * Why a Unix socket could not be bound: Node says EACCES also where the folder
 * is missing, which is ENOENT (libuv, `uv_pipe_bind`).
 *
 * @param error what listening failed with
 */
export function whyUnbound(error: unknown, endpoint: Endpoint): unknown {
  const isDenied = (error as { code?: string }).code === "EACCES";
  if (!isDenied || endpoint.transport !== "unix") return error;
  try {
    statSync(dirname(endpoint.path));
    return error;
  } catch (missing) {
    return (missing as { code?: string }).code === "ENOENT" ? missing : error;
  }
}

/**
 * Whether Linux lists a listening socket of that path, or of a relative path
 * with the same file name; false on other systems, and where the list may not
 * be read.
 *
 * @param path one that begins with a NUL byte is an abstract name
 */
export async function isListenedOn(path: string): Promise<boolean> {
  const shown = path.replace(/^\0/, "@");
  const name = basename(shown);
  const lines = await readFile("/proc/net/unix", "utf8").catch(() => "");
  // Num RefCount Protocol Flags Type St Inode Path; 00010000 is a listener.
  return lines.split("\n").some((line) => {
    const [, flags, listed = ""] = /^(?:\S+ ){3}(\S+)(?: +\S+){3} (.*)$/
      .exec(line) ?? [];
    const isIt = listed === shown ||
      !listed.startsWith("/") && basename(listed) === name;
    return flags === "00010000" && isIt;
  });
}

/**
 * A connection of a descriptor that this process was started with, which belongs
 * to the socket from now on.
 *
 * @param onread how the socket reads; by default as the stream does
 * @throws an error of the system where it is no connection
 */
export function socketOn(fd: number, onread?: OnReadOpts): QuietSocket {
  return new QuietSocket({
    fd,
    readable: true,
    writable: true,
    allowHalfOpen: true,
    ...(onread === undefined ? {} : { onread }),
  });
}

/**
 * Both ends of a connection that another program has accepted.
 *
 * @throws {TcpmuxError} code `connection_reset` where there is no client
 */
export function inheritedEnds(
  socket: Parameters<typeof acceptedEnds>[0],
): Peer {
  if (!socket.localAddress) return NO_ENDS; // a Unix socket
  const ends = acceptedEnds(socket, ANYWHERE);
  if (ends !== undefined) return ends;
  throw fromSystem({ code: "ECONNRESET" }, "cannot serve the client");
}
