/** Deno's sockets and processes: https://docs.deno.com/api/deno/network */
import { unlinkSync } from "node:fs";
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { withDeadline } from "./deadline.ts";
import { denoSpawn } from "./deno_process.ts";
import { denoSeal } from "./deno_seal.ts";
import { denoStdio } from "./deno_stdio.ts";
import { fromSystem } from "./errno.ts";
import { type DenoAddress, DenoConn, type DenoSocket } from "./deno_conn.ts";
import { tcpEnd, UNNAMED } from "./net_conn.ts";
import { permitted } from "./permission.ts";
import type {
  Conn,
  ConnectOptions,
  Listener,
  ListenOptions,
  Transport,
} from "./transport.ts";

/** The members of Deno that sockets need, and no more. */
interface DenoSockets {
  listen(options: DenoAddress & { tcpBacklog?: number }): DenoListener;
  connect(options: DenoAddress & { signal?: AbortSignal }): Promise<DenoSocket>;
}
interface DenoListener {
  readonly addr: DenoAddress;
  accept(): Promise<DenoSocket>;
  close(): void;
}
declare const Deno: DenoSockets;

export const transport: Transport = {
  name: "deno",
  abilities: {
    reset: false, // Deno has no way to send one
    get programs() {
      return (["run", "read", "sys"] as const).every((name) => permitted(name));
    },
    socketStdio: false, // Deno gives away no descriptor of a connection
    get unix() {
      return permitted("read") && permitted("write");
    },
  },
  listen,
  connect,
  spawn: denoSpawn,
  sealInherited: denoSeal,
  stdio: denoStdio,
};

// deno-lint-ignore require-await -- Deno listens at once; failing must reject
async function listen(
  endpoint: Endpoint,
  options: ListenOptions = {},
): Promise<Listener> {
  try {
    const listener = Deno.listen({
      ...toDeno(endpoint),
      tcpBacklog: options.backlog ?? 511,
    });
    return new NativeListener(listener, endpoint);
  } catch (error) {
    const address = formatEndpoint(endpoint);
    throw fromSystem(error, `cannot listen on ${address}`, { address });
  }
}

function connect(
  endpoint: Endpoint,
  options: ConnectOptions = {},
): Promise<Conn> {
  const address = formatEndpoint(endpoint);
  const what = `cannot connect to ${address}`;
  return withDeadline(what, options, async (ending) => {
    try {
      const { signal } = ending;
      const conn = await Deno.connect({ ...toDeno(endpoint), signal });
      if (ending.aborted) {
        conn.close();
        throw ending.reason;
      }
      return new DenoConn(
        conn,
        fromDeno(conn.localAddr),
        endpoint.transport === "unix" ? endpoint : fromDeno(conn.remoteAddr),
      );
    } catch (error) {
      throw fromSystem(error, what, { address });
    }
  });
}

class NativeListener implements Listener {
  readonly endpoint: Endpoint;
  #listener: DenoListener;
  #closed = false;

  constructor(listener: DenoListener, endpoint: Endpoint) {
    this.#listener = listener;
    this.endpoint = endpoint.transport === "unix"
      ? endpoint
      : boundOf(listener.addr);
  }

  async accept(): Promise<Conn | null> {
    while (!this.#closed) {
      try {
        const conn = await this.#listener.accept();
        return this.endpoint.transport === "unix"
          ? new DenoConn(conn, this.endpoint, UNNAMED)
          : new DenoConn(
            conn,
            fromDeno(conn.localAddr),
            fromDeno(conn.remoteAddr),
          );
      } catch (error) {
        if (this.#closed) break;
        const failure = fromSystem(error, "cannot accept");
        // It was gone before it was accepted, and says nothing of the next.
        if (failure.code !== "connection_reset") throw failure;
      }
    }
    return null;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.endpoint.transport === "unix") removeSocket(this.endpoint.path);
    this.#listener.close();
  }
}

/** Deno does so once the last accept has ended, which may be never. */
function removeSocket(path: string): void {
  if (path.startsWith("\0")) return;
  try {
    unlinkSync(path);
  } catch {
    // It is gone already.
  }
}

function toDeno(endpoint: Endpoint): DenoAddress {
  return endpoint.transport === "unix"
    ? { transport: "unix", path: endpoint.path }
    : { transport: "tcp", hostname: endpoint.host, port: endpoint.port };
}

function fromDeno(address: DenoAddress): Endpoint {
  return address.transport === "unix"
    ? { transport: "unix", path: address.path ?? "" }
    : tcpEnd(address.hostname, address.port);
}

function boundOf(address: DenoAddress): Endpoint {
  if (address.transport === "tcp") {
    return { transport: "tcp", host: address.hostname, port: address.port };
  }
  throw new TcpmuxError("failed", "a TCP listener has a Unix address");
}
