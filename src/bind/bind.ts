import { isIP } from "node:net";
import { basename, resolve } from "node:path";
import {
  canonicalHost,
  type Endpoint,
  formatEndpoint,
  type TcpEndpoint,
  TCPMUX_PORT,
  type UnixEndpoint,
} from "../endpoint.ts";
import { codeOf, messageOf, type TcpmuxError, withCure } from "../errors.ts";
import type { Log } from "../log.ts";
import type { GetEnv } from "../transport/permission.ts";
import { cureForFolder, FileListener, openFreeing } from "./stale_socket.ts";
import {
  type BoundListener,
  discardNew,
  HandedOverSockets,
  type OpenListeners,
} from "./systemd.ts";
import type { ListenerSpec, TcpmuxListener } from "../table/service.ts";
import { withoutSteps } from "../parse_endpoint.ts";
import { fromSystem } from "../transport/errno.ts";
import type { Listener, Transport } from "../transport/transport.ts";

/** The port where the table names no address and port 1 is not permitted. */
const FALLBACK_PORT = 1078;

/** The addresses of this machine that no other reaches. */
const LOOPBACK = ["127.0.0.1", "::1"];

/** What binding works with. */
export interface BinderOptions {
  readonly transport: Transport;
  readonly log: Log;
  /** A variable of the environment, where it may be read. */
  readonly getEnv: GetEnv;
}

/**
 * Binds the listeners of a table: each address of a host name, IPv4 beside IPv6
 * where one socket does not take both, and the default port.
 */
export class Binder {
  readonly #transport: Transport;
  readonly #log: Log;
  /** The sockets of systemd's. */
  readonly handedOver: HandedOverSockets;

  constructor(options: BinderOptions) {
    this.#transport = options.transport;
    this.#log = options.log;
    this.handedOver = new HandedOverSockets(options);
  }

  /**
   * @throws {TcpmuxError} and then nothing new is bound
   */
  async bind(
    spec: ListenerSpec,
    open: OpenListeners,
  ): Promise<BoundListener[]> {
    const bound: BoundListener[] = [];
    try {
      const { endpoint } = spec;
      if (endpoint?.transport === "systemd") {
        return await this.handedOver.bind(endpoint, open);
      }
      if (endpoint !== undefined) {
        await this.#bindTo(spec, withoutSteps(endpoint), open, bound);
      } else if (spec.protocol === "tcpmux") {
        await this.#bindDefault(spec, open, bound);
      }
      return bound;
    } catch (error) {
      discardNew(bound);
      throw error;
    }
  }

  async #bindDefault(
    spec: TcpmuxListener,
    open: OpenListeners,
    bound: BoundListener[],
  ): Promise<void> {
    const isOpen = (port: number) =>
      hostsOf(spec).some((host) => open.has(keyOf(tcp(host, port), spec)));
    if (!isOpen(FALLBACK_PORT) || isOpen(TCPMUX_PORT)) {
      try {
        return await this.#bindToHosts(spec, TCPMUX_PORT, open, bound);
      } catch (error) {
        if (codeOf(error) !== "permission_denied") throw error;
        const { cause } = error as TcpmuxError; // the error without a cure
        this.#log(
          "warn",
          "not permitted to listen on port 1, using another port",
          {
            port: FALLBACK_PORT,
            reason: messageOf(cause),
          },
        );
      }
    }
    await this.#bindToHosts(spec, FALLBACK_PORT, open, bound);
  }

  /** IPv6 and IPv4, or IPv4 alone where the machine has no IPv6. */
  async #bindToHosts(
    spec: TcpmuxListener,
    port: number,
    open: OpenListeners,
    bound: BoundListener[],
  ): Promise<void> {
    let missing: unknown;
    for (const host of hostsOf(spec)) {
      // IPv4 stands behind what takes both families.
      if (!spec.isLocal && bound.length > 0) return;
      try {
        await this.#bindTo(spec, tcp(host, port), open, bound);
      } catch (error) {
        if (codeOf(error) !== "address_not_available") throw error;
        missing ??= error;
      }
    }
    if (bound.length === 0) throw missing;
  }

  /** Binds to all that an endpoint stands for. */
  async #bindTo(
    spec: ListenerSpec,
    endpoint: Endpoint,
    open: OpenListeners,
    bound: BoundListener[],
  ): Promise<void> {
    let missing: unknown;
    for (const wanted of await this.#addressesOf(endpoint)) {
      const key = keyOf(wanted, spec);
      const known = open.get(key);
      if (known !== undefined && isReachable(known.listener)) {
        bound.push({ key, listener: known.listener, isNew: false });
        continue;
      }
      try {
        const place = withPortOf(wanted, bound);
        const listener = await this.#listen(spec, place, open);
        bound.push({ key, listener, isNew: true });
      } catch (error) {
        // A name may have an address of a family that this machine lacks.
        if (codeOf(error) !== "address_not_available") throw error;
        missing ??= error;
      }
    }
    if (bound.length === 0) throw missing;
  }

  async #addressesOf(endpoint: Endpoint): Promise<Endpoint[]> {
    if (endpoint.transport === "unix") return [endpoint];
    const at = (host: string) => ({ ...endpoint, host: canonicalHost(host) });
    if (isIP(endpoint.host) === 0) {
      const found = await this.#addressesOfName(endpoint);
      return [...new Set(found.map(canonicalHost))].map(at);
    }
    const any = at(endpoint.host);
    if (any.host !== "::") return [any];
    const isDual = await this.#transport.isDualStack?.() ?? true;
    return isDual ? [any] : [any, at("0.0.0.0")];
  }

  async #addressesOfName(name: TcpEndpoint): Promise<readonly string[]> {
    try {
      return await this.#transport.lookup(name.host);
    } catch (error) {
      const address = formatEndpoint(name);
      throw fromSystem(error, `cannot listen on ${address}`, { address });
    }
  }

  async #listen(
    spec: ListenerSpec,
    endpoint: Endpoint,
    open: OpenListeners,
  ): Promise<Listener> {
    try {
      return await openFreeing(
        this.#transport,
        this.#hasFile(endpoint) ? endpoint.path : undefined,
        () => this.#open(spec, endpoint),
        () => this.#noteFreed(endpoint),
      );
    } catch (error) {
      throw withCure(error, await this.#cureFor(error, endpoint, open));
    }
  }

  async #open(spec: ListenerSpec, endpoint: Endpoint): Promise<Listener> {
    const how = spec.endpoint?.tls ? { forTls: true } : {};
    const listener = await this.#transport.listen(endpoint, how);
    return this.#hasFile(endpoint)
      ? new FileListener(listener, endpoint)
      : listener;
  }

  #hasFile(endpoint: Endpoint): endpoint is UnixEndpoint {
    return endpoint.transport === "unix" && !endpoint.path.startsWith("\0") &&
      this.#transport.name !== "memory";
  }

  async #cureFor(
    error: unknown,
    endpoint: Endpoint,
    open: OpenListeners,
  ): Promise<string> {
    const code = codeOf(error);
    if (endpoint.transport === "unix") {
      if (code === "address_in_use") {
        return "another program listens there, or the file is not a socket";
      }
      return await cureForFolder(endpoint.path) ?? "";
    }
    if (code === "address_in_use") return cureForPort(endpoint.port, open);
    if (code !== "permission_denied") return "";
    return endpoint.port >= 1024
      ? "on Deno, --allow-net must permit this address"
      : cureForLowPort(process.execPath);
  }

  #noteFreed(endpoint: Endpoint): void {
    this.#log("info", "removed the socket file of a server that has died", {
      address: formatEndpoint(endpoint),
    });
  }
}

/** A socket whose file somebody has removed must be bound anew. */
function isReachable(listener: Listener): boolean {
  return !(listener instanceof FileListener) || listener.hasFile;
}

/** The hosts of a listener for which the table names no address. */
function hostsOf({ isLocal }: TcpmuxListener): readonly string[] {
  return isLocal ? LOOPBACK : ["::", "0.0.0.0"];
}

function tcp(host: string, port: number): TcpEndpoint {
  return { transport: "tcp", host, port };
}

/**
 * With port 0 the system chooses a port for each service, so the service's name
 * is part of the key then. TLS needs sockets of another kind.
 */
function keyOf(wanted: Endpoint, spec: ListenerSpec): string {
  const scheme = spec.endpoint?.tls ? "tls://" : "";
  if (wanted.transport === "unix") {
    const isFile = !wanted.path.startsWith("\0");
    return `${scheme}unix:${isFile ? resolve(wanted.path) : wanted.path}`;
  }
  const address = `${scheme}${formatEndpoint(wanted)}`;
  return wanted.port === 0 && spec.protocol !== "tcpmux"
    ? `${address} ${spec.service.name}`
    : address;
}

/** All addresses of one listener have the port that its first one has got. */
function withPortOf(
  wanted: Endpoint,
  [first]: readonly BoundListener[],
): Endpoint {
  const isOpen = wanted.transport === "tcp" && wanted.port === 0;
  return isOpen && first?.listener.endpoint.transport === "tcp"
    ? { ...wanted, port: first.listener.endpoint.port }
    : wanted;
}

function cureForPort(port: number, open: OpenListeners): string {
  const own = [...open.values()].map(({ listener }) => listener.endpoint)
    .find((endpoint) => endpoint.transport === "tcp" && endpoint.port === port);
  return own === undefined
    ? "another program listens there; ss -ltnp shows which: stop it, or " +
      "listen on another port"
    : `this server already listens on ${formatEndpoint(own)}, which ` +
      "overlaps; a reload cannot widen or narrow it: restart the server";
}

/** @param program the file of a binary of ours, or of the runtime */
function cureForLowPort(program: string): string {
  const all = /^(node|bun|deno)/.test(basename(program))
    ? " (which gives it to all scripts that this file runs)"
    : "";
  return "a port below 1024 needs a privilege: listen on a higher port, or run " +
    `setcap cap_net_bind_service=+ep ${program}${all}, or start it by a ` +
    "systemd unit with AmbientCapabilities=CAP_NET_BIND_SERVICE";
}
