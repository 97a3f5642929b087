/** Node's sockets and processes: https://nodejs.org/api/net.html */
import { createServer, type Server } from "node:net";
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { childSpawnOn } from "./child.ts";
import { fromSystem } from "./errno.ts";
import { AcceptQueue } from "./accept_queue.ts";
import {
  isOneAddress,
  localEnd,
  NetConn,
  remoteEnd,
  UNNAMED,
} from "./net_conn.ts";
import { netConnect } from "./net_connect.ts";
import { type Handle, onAccept, socketOf } from "./node_handle.ts";
import { NodeReads } from "./node_reads.ts";
import { NodeSeal } from "./node_seal.ts";
import { nodeSpawn } from "./node_spawn.ts";
import { nodeStdio } from "./node_stdio.ts";
import type {
  Conn,
  ConnectOptions,
  Listener,
  ListenOptions,
  Transport,
} from "./transport.ts";

const seal = new NodeSeal();

export const transport: Transport = {
  name: "node",
  abilities: { reset: true, programs: true, socketStdio: true, unix: true },
  listen,
  connect,
  spawn: (command) => nodeSpawn(command, seal.rest),
  spawnOn: (command) => childSpawnOn(command, seal.rest),
  sealInherited: () => seal.seal(),
  stdio: nodeStdio,
};

function listen(
  endpoint: Endpoint,
  options: ListenOptions = {},
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const server = createServer({
      allowHalfOpen: true,
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
      resolve(new NodeListener(server, endpoint));
    });
  });
}

class NodeListener implements Listener {
  readonly endpoint: Endpoint;
  #server: Server;
  #queue = new AcceptQueue();

  constructor(server: Server, endpoint: Endpoint) {
    this.#server = server;
    this.endpoint = bound(server, endpoint);
    onAccept(server, (handle) => {
      const conn = accepted(handle, this.endpoint);
      if (conn !== undefined) this.#queue.push(conn);
    });
    server.on("error", (error) => {
      this.#queue.fail(fromSystem(error, "cannot accept"));
    });
  }

  accept(): Promise<Conn | null> {
    return this.#queue.shift();
  }

  close(): void {
    this.#server.close();
    this.#queue.close();
  }
}

function accepted(handle: Handle, endpoint: Endpoint): NetConn | undefined {
  const reads = new NodeReads();
  const socket = socketOf(handle, reads);
  if (endpoint.transport === "unix") {
    return new NetConn(socket, endpoint, UNNAMED, reads);
  }
  const remote = remoteEnd(socket);
  if (remote !== undefined) {
    const local = isOneAddress(endpoint) ? endpoint : localEnd(socket);
    return new NetConn(socket, local, remote, reads);
  }
  socket.on("error", () => {}); // it was gone before it was accepted
  socket.destroy();
}

function connect(
  endpoint: Endpoint,
  options: ConnectOptions = {},
): Promise<Conn> {
  const reads = new NodeReads();
  return netConnect(
    endpoint,
    options,
    (socket, local, remote) => new NetConn(socket, local, remote, reads),
    reads.onread,
  );
}

function bound(server: Server, endpoint: Endpoint): Endpoint {
  const address = server.address();
  return endpoint.transport === "tcp" && address !== null &&
      typeof address === "object"
    ? { transport: "tcp", host: address.address, port: address.port }
    : endpoint;
}
