/** A transport without a system: for tests, and for functions that serve. */
import { setImmediate } from "node:timers";
import { type Endpoint, formatEndpoint } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import { TimerList } from "../timers.ts";
import { ConnectAttempt } from "./attempt.ts";
import { closedHere } from "./errno.ts";
import { PushedConn } from "./pushed_conn.ts";
import { PushedListener } from "./pushed_listener.ts";
import type { AttemptOptions, Conn, Listener, Transport } from "./transport.ts";
import { WriteQueue } from "./write_queue.ts";

/** Bytes that the other end gets at a time. */
const PIECE = 64 * 1024;

/**
 * Bytes after which a writer lets the rest of the program have its turn. Two
 * that write and read without end would else never let a timer expire.
 */
const LONGEST_RUN = 1024 * 1024;

/** Bytes that the smallest write counts for. */
const LEAST_COUNT = 1024;

/** The first ephemeral port (RFC 6335, section 6). */
const FIRST_PORT = 49152;

/**
 * A new transport in memory. Its addresses are its own, and each name is one:
 * only connections of the same transport reach its listeners. It has no programs
 * and no standard streams: code `unsupported`.
 */
export function memoryTransport(): Transport {
  const timers = new TimerList();
  const network = new MemoryNetwork();
  return {
    name: "memory",
    abilities: {
      reset: true,
      programs: false,
      socketStdio: false,
      folderEvents: false,
      unix: true,
    },
    timers,
    lookup: (host) => Promise.resolve([host]),
    // deno-lint-ignore require-await -- failing must reject
    async listen(endpoint) {
      return network.listen(endpoint);
    },
    connect: (endpoint, options = {}) =>
      new MemoryAttempt(network, endpoint, options).start(timers),
    spawn(command) {
      return Promise.reject(
        new TcpmuxError(
          "unsupported",
          `cannot start ${command.program}: there are no programs in memory`,
          { program: command.program },
        ),
      );
    },
    stdio() {
      throw new TcpmuxError("unsupported", "there is no terminal in memory");
    },
    output() {
      throw new TcpmuxError("unsupported", "there is no terminal in memory");
    },
  };
}

/** Two ends of one connection. */
export function memoryPair(left: Endpoint, right: Endpoint): [Conn, Conn] {
  const a = new MemoryConn({ local: left, remote: right });
  const b = new MemoryConn({ local: right, remote: left });
  a.other = b;
  b.other = a;
  return [a, b];
}

class MemoryNetwork {
  readonly #listeners = new Map<string, MemoryListener>();
  #nextPort = FIRST_PORT;

  listen(endpoint: Endpoint): Listener {
    const bound = endpoint.transport === "tcp" && endpoint.port === 0
      ? { ...endpoint, port: this.#nextPort++ }
      : endpoint;
    const address = formatEndpoint(bound);
    if (this.#listeners.has(address)) {
      throw new TcpmuxError(
        "address_in_use",
        `cannot listen on ${address}: the address is already in use`,
        { address },
      );
    }
    const forget = () => this.#listeners.delete(address);
    const listener = new MemoryListener(bound, forget);
    this.#listeners.set(address, listener);
    return listener;
  }

  /** @throws {TcpmuxError} `connection_refused` */
  connect(endpoint: Endpoint): Conn {
    const address = formatEndpoint(endpoint);
    const listener = this.#listeners.get(address);
    if (listener !== undefined) return listener.connect(this.#nextPort++);
    throw new TcpmuxError(
      "connection_refused",
      `cannot connect to ${address}: connection refused`,
      { address },
    );
  }
}

class MemoryAttempt extends ConnectAttempt {
  readonly #network: MemoryNetwork;

  constructor(
    network: MemoryNetwork,
    endpoint: Endpoint,
    options: AttemptOptions,
  ) {
    super(endpoint, options);
    this.#network = network;
  }

  protected override connect(): void {
    try {
      this.succeed(this.#network.connect(this.endpoint));
    } catch (error) {
      this.fail(error);
    }
  }

  protected override giveUp(): void {}
}

class MemoryListener extends PushedListener {
  readonly endpoint: Endpoint;
  readonly #forget: () => void;

  constructor(endpoint: Endpoint, forget: () => void) {
    super();
    this.endpoint = endpoint;
    this.#forget = forget;
  }

  connect(port: number): Conn {
    const from: Endpoint = this.endpoint.transport === "unix"
      ? { transport: "unix", path: "" }
      : { transport: "tcp", host: "127.0.0.1", port };
    const [outside, inside] = memoryPair(from, this.endpoint);
    this.push(inside);
    return outside;
  }

  protected stop(): void {
    this.#forget();
  }
}

class MemoryConn extends PushedConn {
  other!: MemoryConn;
  readonly #writes = new WriteQueue();
  /** Whether the other end takes more bytes; what waits until it does. */
  #isOpen = true;
  #opened: (() => void) | undefined;
  #hasEnded = false;
  #broken: Error | undefined;
  /** Bytes written since others had their turn. */
  #run = 0;

  protected pauseInput(): void {
    this.other.#setOpen(false);
  }

  protected resumeInput(): void {
    this.other.#setOpen(true);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#writes.run(async () => {
      for (let at = 0; at < bytes.length; at += PIECE) {
        if (!this.#isOpen) {
          await new Promise<void>((resolve) => this.#opened = resolve);
        }
        if (this.#run >= LONGEST_RUN) {
          this.#run = 0;
          await new Promise((resolve) => setImmediate(resolve));
        }
        if (this.#broken !== undefined) throw this.#broken;
        if (this.#hasEnded) throw closedHere();
        // A copy: the slice of a Buffer is none.
        const piece = new Uint8Array(bytes.subarray(at, at + PIECE));
        this.#run += Math.max(piece.length, LEAST_COUNT);
        this.other.arrived(piece);
      }
    });
  }

  async closeWrite(): Promise<void> {
    await this.#writes.settled();
    this.#end();
  }

  close(): void {
    this.drop();
    this.#writes.settled().then(() => this.#end());
    this.other.#break(
      new TcpmuxError("broken_pipe", "the other side has closed"),
    );
  }

  abort(): void {
    this.drop();
    this.#break(closedHere());
    const reset = new TcpmuxError("connection_reset", "reset by the peer");
    this.other.#break(reset);
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.other.over(reset);
  }

  isAlive(): Promise<boolean> {
    return Promise.resolve(!this.isDropped && this.#broken === undefined);
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.other.over(null);
  }

  #break(error: Error): void {
    this.#broken ??= error;
    this.#setOpen(true);
  }

  #setOpen(isOpen: boolean): void {
    this.#isOpen = isOpen;
    if (!isOpen) return;
    const opened = this.#opened;
    this.#opened = undefined;
    opened?.();
  }
}
