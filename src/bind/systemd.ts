/** Listening sockets that systemd has opened: sd_listen_fds(3). */
import { readFile, readlink } from "node:fs/promises";
import { type Endpoint, tcpEnd } from "../endpoint.ts";
import { TcpmuxError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { ListenSteps, SystemdSockets } from "../parse_endpoint.ts";
import type { GetEnv } from "../transport/permission.ts";
import { discardListener } from "../transport/pushed_listener.ts";
import type { Listener, Transport } from "../transport/transport.ts";

/** The first descriptor that is handed over. */
const FIRST = 3;

/** The name of a socket that its unit gives none. */
const NAMELESS = "unknown";

/** A socket that listens for a listener of the table. */
export interface BoundListener {
  /** By what it is bound to, a reload finds it again. */
  readonly key: string;
  readonly listener: Listener;
  /** Whether it was bound just now. */
  readonly isNew: boolean;
}

/** Closes those of them that were bound just now, as nobody will accept. */
export function discardNew(bound: readonly BoundListener[]): void {
  for (const { listener, isNew } of bound) {
    if (isNew) discardListener(listener);
  }
}

/** The listeners that are bound already, by their keys. */
export type OpenListeners = ReadonlyMap<
  string,
  { readonly listener: Listener }
>;

/** A descriptor that was handed over, and its name. */
interface HandedOver {
  readonly fd: number;
  readonly name: string;
}

interface HandedOverOptions {
  readonly transport: Transport;
  readonly log: Log;
  readonly getEnv: GetEnv;
}

/** The sockets that systemd has opened for this process, and goes on having. */
export class HandedOverSockets {
  readonly #transport: Transport;
  readonly #log: Log;
  readonly #getEnv: GetEnv;
  /** The descriptors that have been listened on. */
  readonly #taken = new Set<number>();
  /** The descriptors that the log has said to be in no listener. */
  readonly #noted = new Set<number>();

  constructor({ transport, log, getEnv }: HandedOverOptions) {
    this.#transport = transport;
    this.#log = log;
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
        const key = keyOf(fd, sockets.tls !== undefined);
        const known = open.get(key)?.listener;
        const listener = known ?? await this.#listenOn(fd, name, sockets);
        bound.push({ key, listener, isNew: known === undefined });
      }
      return bound;
    } catch (error) {
      discardNew(bound);
      throw error;
    }
  }

  /**
   * Warns once of each that no listener has: its clients connect, since systemd
   * listens, and then wait for an answer without end.
   */
  warnOfOthers(open: ReadonlyMap<string, unknown>): void {
    if (this.#getEnv("LISTEN_PID") !== String(process.pid)) return;
    for (const { fd, name } of allHandedOver(this.#getEnv)) {
      const isOpen = [true, false].some((isTls) => open.has(keyOf(fd, isTls)));
      if (isOpen) this.#noted.delete(fd);
      if (isOpen || this.#noted.has(fd)) continue;
      this.#noted.add(fd);
      this.#log("warn", "a socket of systemd's is in no listen", {
        name,
        descriptor: fd,
      });
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

/** By what a reload finds it again. */
function keyOf(fd: number, isTls: boolean): string {
  return `${isTls ? "tls://" : ""}systemd:${fd}`;
}

/** All that are handed over, to whatever process; none without LISTEN_FDS. */
function allHandedOver(getEnv: GetEnv): readonly HandedOver[] {
  const count = Number(getEnv("LISTEN_FDS") ?? 0);
  if (!Number.isInteger(count) || count < 1) return [];
  const names = (getEnv("LISTEN_FDNAMES") ?? "").split(":");
  return Array.from({ length: count }, (_, index) => ({
    fd: FIRST + index,
    name: names[index] || NAMELESS,
  }));
}

/**
 * The descriptors that systemd has handed over to this process, of one name or
 * all of them.
 *
 * @throws {TcpmuxError} code `not_found`, saying what is missing
 */
function handedOver(
  { name }: SystemdSockets,
  getEnv: GetEnv,
): readonly HandedOver[] {
  const what = name === undefined ? "systemd" : `systemd:${name}`;
  const fail = (why: string) => {
    const message = `cannot listen on ${what}: ${why}`;
    return new TcpmuxError("not_found", message, { address: what });
  };
  const all = allHandedOver(getEnv);
  if (all.length === 0) {
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
  const found = all.filter((one) => name === undefined || one.name === name);
  if (found.length > 0) return found;
  const there = [...new Set(all.map(({ name }) => name))].join(", ");
  throw fail(
    `no socket has that name, but there are ${there} (set ` +
      `FileDescriptorName=${name} in its .socket unit)`,
  );
}

/** What Linux says of a descriptor; undefined where nobody can tell. */
type SocketState =
  | { readonly kind: "listener"; readonly endpoint: Endpoint }
  | { readonly kind: "other"; readonly what: string }
  | undefined;

/** The state of a TCP socket that listens: `TCP_LISTEN`, in hexadecimal. */
const LISTEN = "0A";

/** The flag of a Unix socket that listens: `__SO_ACCEPTCON`. */
const ACCEPTS = "00010000";

const STREAM = "0001";

/** A socket of another network namespace is in none of these lists. */
async function stateOf(fd: number): Promise<SocketState> {
  const link = await readlink(`/proc/self/fd/${fd}`).catch((error) =>
    (error as { code?: string }).code === "ENOENT" ? "nothing" : ""
  );
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  if (inode === undefined) {
    return link === "" ? undefined : { kind: "other", what: `it is ${link}` };
  }
  return await tcpState("tcp", inode) ?? await tcpState("tcp6", inode) ??
    await unixState(inode) ?? await datagramState(inode);
}

/** The lines of a list of sockets, each as its words. */
async function listOf(name: string): Promise<string[][]> {
  const text = await readFile(`/proc/self/net/${name}`, "utf8").catch(() => "");
  return text.split("\n").map((line) => line.trim().split(/\s+/));
}

/** sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode */
async function tcpState(list: string, inode: string): Promise<SocketState> {
  const line = (await listOf(list)).find((words) => words[9] === inode);
  if (line === undefined) return undefined;
  return line[3] === LISTEN
    ? { kind: "listener", endpoint: endpointOf(line[1]!) }
    : { kind: "other", what: "it is a TCP socket that does not listen" };
}

/** Num RefCount Protocol Flags Type St Inode Path */
async function unixState(inode: string): Promise<SocketState> {
  const line = (await listOf("unix")).find((words) => words[6] === inode);
  if (line === undefined) return undefined;
  const [, , , flags, type, , , ...path] = line;
  if (type !== STREAM) {
    return { kind: "other", what: "it is a Unix socket, but no stream" };
  }
  return flags === ACCEPTS
    ? {
      kind: "listener",
      endpoint: { transport: "unix", path: path.join(" ").replace(/^@/, "\0") },
    }
    : { kind: "other", what: "it is a Unix socket that does not listen" };
}

async function datagramState(inode: string): Promise<SocketState> {
  for (const list of ["udp", "udp6"]) {
    const isIt = (await listOf(list)).some((words) => words[9] === inode);
    if (isIt) return { kind: "other", what: "it is a datagram socket (UDP)" };
  }
}

/** An address and a port as the list has them: 0100007F:0016. */
function endpointOf(text: string): Endpoint {
  const [address = "", port = ""] = text.split(":");
  const bytes = (address.match(/.{8}/g) ?? []).flatMap(bytesOf);
  const host = bytes.length === 4
    ? bytes.join(".")
    : new URL(`http://[${groupsOf(bytes)}]`).hostname.slice(1, -1);
  return tcpEnd(host, parseInt(port, 16));
}

/** The bytes of a number that is shown in the order of this machine. */
function bytesOf(word: string): number[] {
  const number = new Uint32Array([parseInt(word, 16)]);
  return [...new Uint8Array(number.buffer)];
}

function groupsOf(bytes: readonly number[]): string {
  return Array.from(
    { length: 8 },
    (_, at) => (bytes[2 * at]! * 256 + bytes[2 * at + 1]!).toString(16),
  ).join(":");
}
