import { setTimeout as sleep } from "node:timers/promises";
import { type Endpoint, formatEndpoint, TCPMUX_PORT } from "./endpoint.ts";
import { Episode, type Log } from "./log.ts";
import { codeOf, messageOf, stackOf, TcpmuxError } from "./errors.ts";
import { listenerKey, type ListenerSpec } from "./table/service.ts";
import { removeStale } from "./stale_socket.ts";
import type { Conn, Listener, Transport } from "./transport/transport.ts";

/** The port where the table names no address and port 1 is not permitted. */
export const FALLBACK_PORT = 1078;

/** Milliseconds before accepting is tried again after it has failed. */
const ACCEPT_PAUSE = 50;

/** A listener of a table that has been opened. */
export interface OpenListener {
  readonly spec: ListenerSpec;
  /** Its real address, as text. */
  readonly address: string;
  readonly listener: Listener;
}

type OnAccepted = (conn: Conn, listener: OpenListener) => void;

/** The listeners of a server, and the loops that accept from them. */
export class Listeners {
  /** By `listenerKey`, which finds a listener again at a reload. */
  #open = new Map<string, OpenListener>();
  #endpoints: readonly Endpoint[] = [];
  #isClosed = false;
  readonly #transport: Transport;
  readonly #log: Log;
  readonly #onAccepted: OnAccepted;

  constructor(transport: Transport, log: Log, onAccepted: OnAccepted) {
    this.#transport = transport;
    this.#log = log;
    this.#onAccepted = onAccepted;
  }

  /** Where the server listens, with the real ports. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /**
   * Opens the listeners that are new and, when all of them are open, closes
   * those that are not wanted any more. The others stay as they are.
   *
   * @param commit called when all are open, before a new one accepts
   * @throws {TcpmuxError} and then nothing has changed; code `closed` after
   * `close`, even where that was called meanwhile
   */
  async set(
    wanted: readonly ListenerSpec[],
    commit: () => void,
  ): Promise<void> {
    const next = new Map<string, OpenListener>();
    const fresh: string[] = [];
    try {
      for (const spec of wanted) {
        const key = listenerKey(spec);
        if (next.has(key)) continue;
        const known = this.#open.get(key);
        if (known === undefined) fresh.push(key);
        const listener = known?.listener ?? await this.#listen(spec);
        const address = formatEndpoint(listener.endpoint);
        next.set(key, { spec, listener, address });
      }
      if (this.#isClosed) {
        throw new TcpmuxError("closed", "the server is closed");
      }
    } catch (error) {
      for (const key of fresh) next.get(key)?.listener.close();
      throw error;
    }
    const old = this.#open;
    this.#open = next;
    this.#endpoints = [...next.values()].map(({ listener }) =>
      listener.endpoint
    );
    commit();
    for (const [key, { listener, address }] of old) {
      if (next.has(key)) continue;
      listener.close();
      this.#log("info", "no longer listening", { address });
    }
    for (const key of fresh) {
      const { spec, address, listener } = next.get(key)!;
      this.#log("info", "listening", {
        address,
        service: spec.protocol === "forward" ? spec.service.name : undefined,
      });
      this.#acceptFrom(key, listener, address);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const { listener } of this.#open.values()) listener.close();
    this.#open.clear();
    this.#endpoints = [];
  }

  async #listen({ endpoint }: ListenerSpec): Promise<Listener> {
    if (endpoint === undefined) return await this.#listenByDefault();
    try {
      return await this.#transport.listen(endpoint);
    } catch (error) {
      if (codeOf(error) === "address_in_use" && await this.#free(endpoint)) {
        return await this.#transport.listen(endpoint);
      }
      throw withCure(error, endpoint);
    }
  }

  /** @returns whether the address may be free now */
  async #free(endpoint: Endpoint): Promise<boolean> {
    if (endpoint.transport !== "unix") return false;
    if (this.#transport.name === "memory") return false; // it has no files
    if (!await removeStale(this.#transport, endpoint.path)) return false;
    this.#log("info", "removed a socket that nobody listened on any more", {
      address: formatEndpoint(endpoint),
    });
    return true;
  }

  async #listenByDefault(): Promise<Listener> {
    try {
      return await this.#listenOnAny(TCPMUX_PORT);
    } catch (error) {
      if (codeOf(error) !== "permission_denied") {
        throw withCure(error, { transport: "tcp", host: "::", port: 1 });
      }
      this.#log("warn", "port 1 is not permitted, so another one is used", {
        port: FALLBACK_PORT,
        reason: messageOf(error),
      });
      return this.#listenOnAny(FALLBACK_PORT).catch((failure) => {
        const host = "::";
        throw withCure(failure, {
          transport: "tcp",
          host,
          port: FALLBACK_PORT,
        });
      });
    }
  }

  /** IPv6 and IPv4, or IPv4 alone where the machine has no IPv6. */
  async #listenOnAny(port: number): Promise<Listener> {
    try {
      return await this.#transport.listen({
        transport: "tcp",
        host: "::",
        port,
      });
    } catch (error) {
      if (codeOf(error) !== "address_not_available") throw error;
      const host = "0.0.0.0";
      return await this.#transport.listen({ transport: "tcp", host, port });
    }
  }

  async #acceptFrom(
    key: string,
    listener: Listener,
    address: string,
  ): Promise<void> {
    const failing = new Episode({
      began: (reason) =>
        this.#log("error", "cannot accept, will go on trying", {
          address,
          reason,
        }),
      over: () => this.#log("info", "accepting again", { address }),
    });
    for (;;) {
      let conn: Conn | null;
      try {
        conn = await listener.accept();
      } catch (error) {
        failing.happened(messageOf(error));
        await sleep(ACCEPT_PAUSE);
        continue;
      }
      if (conn === null) return failing.cancel();
      const open = this.#open.get(key); // a reload may have changed it
      try {
        if (open === undefined) this.#tooLate(conn);
        else this.#onAccepted(conn, open);
      } catch (error) {
        const stack = stackOf(error);
        this.#log("error", "a new connection met a fault", { address, stack });
        conn.abort();
      }
    }
  }

  #tooLate(conn: Conn): void {
    const client = formatEndpoint(conn.remote);
    this.#log("debug", "a client came as its listener was closed", { client });
    conn.abort();
  }
}

function withCure(error: unknown, endpoint: Endpoint): unknown {
  const cure = cureFor(codeOf(error), endpoint);
  if (cure === "" || !(error instanceof TcpmuxError)) return error;
  return new TcpmuxError(error.code, `${error.message} (${cure})`, {
    cause: error,
    address: formatEndpoint(endpoint),
    ...(error.errno === undefined ? {} : { errno: error.errno }),
  });
}

function cureFor(code: string, endpoint: Endpoint): string {
  const unix = endpoint.transport === "unix";
  if (code === "address_in_use") {
    return unix
      ? "another program listens there, or it is a file of another kind"
      : "another program listens there, and ss -ltnp tells which: stop it, " +
        "or listen on another port";
  }
  if (code === "permission_denied" && !unix && endpoint.port >= 1024) {
    return "on Deno, --allow-net must permit this address";
  }
  if (code === "permission_denied" && !unix) {
    return "a port below 1024 takes a right: listen on a higher port, or run " +
      "setcap cap_net_bind_service=+ep on the program's file, or start it by " +
      "a systemd unit with AmbientCapabilities=CAP_NET_BIND_SERVICE";
  }
  return "";
}
