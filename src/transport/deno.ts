/** Deno's sockets and processes: https://docs.deno.com/api/deno/network */
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { withDeadline } from "./deadline.ts";
import { denoSpawn } from "./deno_process.ts";
import { denoStdio } from "./deno_stdio.ts";
import { fromSystem } from "./errno.ts";
import { closedHere, tcpEnd, UNNAMED } from "./net_conn.ts";
import { permitted } from "./permission.ts";
import { StreamConn } from "./stream_conn.ts";
import type {
  Conn,
  ConnectOptions,
  Listener,
  ListenOptions,
  Transport,
} from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** The members of Deno that sockets need, and no more. */
interface DenoSockets {
  listen(options: DenoAddress & { tcpBacklog?: number }): DenoListener;
  connect(options: DenoAddress & { signal?: AbortSignal }): Promise<DenoConn>;
}
type DenoAddress =
  | { transport: "tcp"; hostname: string; port: number }
  | { transport: "unix"; path: string };
interface DenoListener {
  readonly addr: DenoAddress;
  accept(): Promise<DenoConn>;
  close(): void;
}
interface DenoConn {
  readonly localAddr: DenoAddress;
  readonly remoteAddr: DenoAddress;
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on: boolean): void;
  setKeepAlive?(on: boolean): void;
}
declare const Deno: DenoSockets;

export const transport: Transport = {
  name: "deno",
  abilities: {
    reset: false, // Deno has no way to send one
    get programs() {
      return (["run", "read", "sys"] as const).every((name) => permitted(name));
    },
    get unix() {
      return permitted("read") && permitted("write");
    },
  },
  listen,
  connect,
  spawn: denoSpawn,
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
  return withDeadline(what, options, async (signal) => {
    try {
      const conn = await Deno.connect({ ...toDeno(endpoint), signal });
      if (signal.aborted) {
        conn.close();
        throw signal.reason;
      }
      return new NativeConn(
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
    if (this.#closed) return null;
    try {
      const conn = await this.#listener.accept();
      return this.endpoint.transport === "unix"
        ? new NativeConn(conn, this.endpoint, UNNAMED)
        : new NativeConn(
          conn,
          fromDeno(conn.localAddr),
          fromDeno(conn.remoteAddr),
        );
    } catch (error) {
      if (this.#closed) return null;
      throw fromSystem(error, "cannot accept");
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
  }
}

/** A buffer is held by every read under way, so an idle one must be small. */
const SMALL_BUFFER = 2 * 1024;
const LARGE_BUFFER = 64 * 1024;

class NativeConn extends StreamConn {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  #conn: DenoConn;
  #closed = false;
  #reading = false;
  #bufferSize = SMALL_BUFFER;
  #writes = new WriteQueue();

  constructor(conn: DenoConn, local: Endpoint, remote: Endpoint) {
    super();
    this.#conn = conn;
    this.local = local;
    this.remote = remote;
    conn.setNoDelay?.(true);
    conn.setKeepAlive?.(true);
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#closed) throw closedHere();
    if (this.#reading) throw new TypeError("a read is already under way");
    this.#reading = true;
    const buffer = new Uint8Array(this.#bufferSize);
    try {
      const count = await this.#conn.read(buffer);
      if (count === null) return null;
      // A full buffer means that more is waiting: take it in fewer steps.
      this.#bufferSize = count === buffer.length ? LARGE_BUFFER : SMALL_BUFFER;
      return buffer.subarray(0, count);
    } catch (error) {
      throw this.#closed ? closedHere() : fromSystem(error, "cannot read");
    } finally {
      this.#reading = false;
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.run(() => this.#writeAll(bytes));
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    try {
      let rest = bytes;
      while (rest.length > 0) {
        if (this.#closed) throw closedHere();
        rest = rest.subarray(await this.#conn.write(rest));
      }
    } catch (error) {
      throw this.#closed ? closedHere() : fromSystem(error, "cannot write");
    }
  }

  async closeWrite(): Promise<void> {
    await this.#writes.settled();
    if (this.#closed) return;
    try {
      await this.#conn.closeWrite();
    } catch (error) {
      if (!this.#closed) throw fromSystem(error, "cannot end");
    }
  }

  close(): void {
    if (this.#closed) return;
    if (this.#writes.idle) this.abort();
    else this.#writes.settled().then(() => this.abort());
  }

  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
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
