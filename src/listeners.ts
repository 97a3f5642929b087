import { setTimeout as sleep } from "node:timers/promises";
import { type Endpoint, formatEndpoint, TCPMUX_PORT } from "./endpoint.ts";
import { Episode } from "./episode.ts";
import { codeOf, messageOf, TcpmuxError } from "./errors.ts";
import type { Log } from "./log.ts";
import { removeStale } from "./transport/stale_socket.ts";
import { listenerKey, type ListenerSpec } from "./table/listener.ts";
import type { Conn, Listener, Transport } from "./transport/transport.ts";

/** The port that is used where port 1 is not permitted and none was asked. */
export const FALLBACK_PORT = 1078;

/** Milliseconds before accepting is tried again after it has failed. */
const ACCEPT_PAUSE = 50;

/** @param listener its address, as text */
type Accepted = (conn: Conn, door: ListenerSpec, listener: string) => void;

interface OpenDoor {
  readonly door: ListenerSpec;
  readonly listener: Listener;
}

/** The listeners of a server, and the loops that accept from them. */
export class Listeners {
  /** By what makes them the same door. */
  #open = new Map<string, OpenDoor>();
  /** Of these; each connection to an upstream asks for them. */
  #endpoints: readonly Endpoint[] = [];
  #closed = false;
  #transport: Transport;
  #log: Log;
  #accepted: Accepted;

  constructor(
    transport: Transport,
    log: Log,
    accepted: Accepted,
  ) {
    this.#transport = transport;
    this.#log = log;
    this.#accepted = accepted;
  }

  /** Where the server listens, with the real ports. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /**
   * Makes these the doors: opens what is new and, when all of that has
   * worked, closes what is no longer asked for. What stays is not touched.
   *
   * @param commit called when all are open, before anybody comes in anew
   * @throws {TcpmuxError} and then nothing has changed; code `closed` when
   * `close` was called, perhaps meanwhile
   */
  async set(
    wanted: readonly ListenerSpec[],
    commit: () => void,
  ): Promise<void> {
    const next = new Map<string, OpenDoor>();
    const fresh = new Map<string, Listener>();
    try {
      for (const door of wanted) {
        const key = listenerKey(door);
        if (next.has(key)) continue;
        const listener = this.#open.get(key)?.listener ??
          await this.#listen(door);
        if (!this.#open.has(key)) fresh.set(key, listener);
        next.set(key, { door, listener });
      }
      if (this.#closed) throw new TcpmuxError("closed", "the server is closed");
    } catch (error) {
      for (const listener of fresh.values()) listener.close();
      throw error;
    }
    const old = this.#open;
    this.#open = next;
    this.#endpoints = [...next.values()].map(({ listener }) =>
      listener.endpoint
    );
    commit();
    for (const [key, { listener }] of old) {
      if (next.has(key)) continue;
      listener.close();
      this.#log("info", "no longer listening", {
        address: formatEndpoint(listener.endpoint),
      });
    }
    for (const [key, listener] of fresh) {
      const { door } = next.get(key)!;
      this.#log("info", "listening", {
        address: formatEndpoint(listener.endpoint),
        service: door.protocol === "forward" ? door.service.name : undefined,
      });
      this.#acceptFrom(key, listener);
    }
  }

  close(): void {
    this.#closed = true;
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

  /** @returns whether it is worth another try */
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

  async #acceptFrom(key: string, listener: Listener): Promise<void> {
    const address = formatEndpoint(listener.endpoint);
    const failing = new Episode({
      began: (reason) =>
        this.#log("error", "cannot accept, will go on trying", {
          address,
          reason,
        }),
      over: () => this.#log("info", "accepting again", { address }),
    });
    for (;;) {
      try {
        const conn = await listener.accept();
        if (conn === null) return failing.cancel();
        const open = this.#open.get(key); // a reload may have changed it
        if (open === undefined) conn.abort();
        else this.#accepted(conn, open.door, address);
      } catch (error) {
        failing.happened(messageOf(error));
        await sleep(ACCEPT_PAUSE);
      }
    }
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
