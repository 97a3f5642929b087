/** Listening sockets that systemd has opened: sd_listen_fds(3). */
import { TcpmuxError } from "../errors.ts";
import type { ListenSteps, SystemdSockets } from "../parse_endpoint.ts";
import type { Listener, Transport } from "../transport/transport.ts";
import type {
  BinderOptions,
  BoundListener,
  OpenListeners,
} from "./bound_listener.ts";
import { stateOf } from "./socket_state.ts";

/** The first descriptor that is handed over. */
const FIRST = 3;

/** The name of a socket that its unit gives none. */
const NAMELESS = "unknown";

/** A descriptor that was handed over, and its name. */
interface HandedOver {
  readonly fd: number;
  readonly name: string;
}

/** The sockets that systemd has opened for this process, and goes on having. */
export class HandedOverSockets {
  readonly #transport: Transport;
  readonly #getEnv: BinderOptions["getEnv"];
  /** The descriptors that have been listened on. */
  readonly #taken = new Set<number>();

  constructor(transport: Transport, getEnv: BinderOptions["getEnv"]) {
    this.#transport = transport;
    this.#getEnv = getEnv;
  }

  /**
   * Listens on those that the table asks for.
   *
   * @throws {TcpmuxError} and then nothing new is listened on
   */
  async bind(
    sockets: SystemdSockets & ListenSteps,
    open: OpenListeners,
  ): Promise<BoundListener[]> {
    const bound: BoundListener[] = [];
    try {
      for (const { fd, name } of handedOver(sockets, this.#getEnv)) {
        const key = `${sockets.tls ? "tls://" : ""}systemd:${fd}`;
        const known = open.get(key)?.listener;
        const listener = known ?? await this.#listenOn(fd, name, sockets);
        bound.push({ key, listener, isNew: known === undefined });
      }
      return bound;
    } catch (error) {
      for (const { listener, isNew } of bound) if (isNew) listener.close();
      throw error;
    }
  }

  async #listenOn(
    fd: number,
    name: string,
    { tls }: ListenSteps,
  ): Promise<Listener> {
    const what = `cannot listen on systemd:${name} (descriptor ${fd})`;
    const { listenOn } = this.#transport;
    if (listenOn === undefined) {
      throw new TcpmuxError("unsupported", `${what}: there are no descriptors`);
    }
    if (this.#taken.has(fd)) {
      const why = "an earlier reload has given it up (restart the server)";
      throw new TcpmuxError("not_found", `${what}: ${why}`);
    }
    const state = await stateOf(fd);
    if (state?.kind === "other") {
      const cure = "its .socket unit needs ListenStream= and Accept=no; with " +
        "Accept=yes, serve --inetd";
      throw new TcpmuxError("not_found", `${what}: ${state.what} (${cure})`);
    }
    try {
      const listener = await listenOn(fd, state?.endpoint, {
        forTls: tls !== undefined,
      });
      this.#taken.add(fd);
      return listener;
    } catch (error) {
      const { errno = "" } = error as { errno?: string };
      const why = `it cannot be listened on ${errno && `(${errno})`}`;
      throw new TcpmuxError("not_found", `${what}: ${why}`, { cause: error });
    }
  }
}

/**
 * The descriptors that systemd has handed over to this process, of one name or
 * all of them.
 *
 * @throws {TcpmuxError} code `not_found`, saying what is missing
 */
function handedOver(
  { name }: SystemdSockets,
  getEnv: BinderOptions["getEnv"],
): readonly HandedOver[] {
  const what = name === undefined ? "systemd" : `systemd:${name}`;
  const fail = (why: string) => {
    const message = `cannot listen on ${what}: ${why}`;
    return new TcpmuxError("not_found", message, { address: what });
  };
  const count = Number(getEnv("LISTEN_FDS") ?? 0);
  if (!Number.isInteger(count) || count < 1) {
    throw fail(
      "no socket was handed over, LISTEN_FDS is not set (start it by a " +
        ".socket unit, or by systemd-socket-activate; on Deno, with -A)",
    );
  }
  const heir = getEnv("LISTEN_PID");
  if (heir !== String(process.pid)) {
    throw fail(
      `the sockets are for process ${heir ?? "(LISTEN_PID is not set)"}, and ` +
        `this is ${process.pid} (let ExecStart= start tcpmux itself, with no ` +
        "shell, npx or sudo between)",
    );
  }
  const names = (getEnv("LISTEN_FDNAMES") ?? "").split(":");
  const all = Array.from({ length: count }, (_, index): HandedOver => ({
    fd: FIRST + index,
    name: names[index] || NAMELESS,
  }));
  const found = all.filter((one) => name === undefined || one.name === name);
  if (found.length > 0) return found;
  const there = [...new Set(all.map(({ name }) => name))].join(", ");
  throw fail(
    `no socket has that name, but there are ${there} (set ` +
      `FileDescriptorName=${name} in its .socket unit)`,
  );
}
