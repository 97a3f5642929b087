/**
 * Functions of the C library, for runtimes that can call it, and what is asked of
 * the system by them.
 */
import { TcpmuxError } from "../../errors.ts";
import type { SystemCalls } from "../system.ts";
import type { Detached } from "../transport.ts";

/** glibc; with another library, runtimes do without these functions. */
export const LIBC = "libc.so.6";

/** What is called of it, each with its own manual page in section 2. */
export interface LibcFunctions {
  socketpair(
    domain: number,
    type: number,
    protocol: number,
    descriptors: Uint8Array,
  ): number;
  socket(domain: number, type: number, protocol: number): number;
  connect(fd: number, address: Uint8Array, length: number): number;
  close(fd: number): number;
  recv(fd: number, into: Uint8Array, length: bigint, flags: number): number;
  shutdown(fd: number, how: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  close_range(first: number, last: number, flags: number): number;
  sendto(
    fd: number,
    bytes: Uint8Array,
    length: bigint,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ): number;
  clock_gettime(clock: number, time: Uint8Array): number;
  setgroups(count: bigint, groups: Uint8Array): number;
}

/** The types of what those functions take; each of them returns an `i32`. */
export const LIBC_TYPES: Record<keyof LibcFunctions, string[]> = {
  socketpair: ["i32", "i32", "i32", "buffer"],
  socket: ["i32", "i32", "i32"],
  connect: ["i32", "buffer", "u32"],
  close: ["i32"],
  recv: ["i32", "buffer", "u64", "i32"],
  shutdown: ["i32", "i32"],
  fcntl: ["i32", "i32", "i32"],
  close_range: ["u32", "u32", "u32"],
  sendto: ["i32", "buffer", "u64", "i32", "buffer", "u32"],
  clock_gettime: ["i32", "buffer"],
  setgroups: ["u64", "buffer"],
};

/** The functions, looked up when they are needed for the first time. */
export class Libc {
  readonly #open: () => LibcFunctions;
  #functions: LibcFunctions | undefined | "none" = "none";

  /** @param open throws where there are no such functions */
  constructor(open: () => LibcFunctions) {
    this.#open = open;
  }

  /** Undefined where this runtime cannot call them. */
  get functions(): LibcFunctions | undefined {
    if (this.#functions === "none") {
      try {
        this.#functions = this.#open();
      } catch {
        this.#functions = undefined; // no permission, or another C library
      }
    }
    return this.#functions;
  }
}

const F_DUPFD_CLOEXEC = 1030;

/** Another descriptor of the same socket; undefined where none is left. */
export function duplicate(libc: LibcFunctions, fd: number): number | undefined {
  const copy = libc.fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return copy < 0 ? undefined : copy;
}

const SHUT_RD = 0;
const MSG_DONTWAIT = 0x40;

/** Closes a descriptor, after what lies there unread, which would be an error. */
export function drainAndClose(libc: LibcFunctions, fd: number): void {
  const into = new Uint8Array(64 * 1024);
  libc.shutdown(fd, SHUT_RD); // nothing comes after it
  while (libc.recv(fd, into, BigInt(into.length), MSG_DONTWAIT) > 0);
  libc.close(fd);
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;

/**
 * The ends of a new pair of sockets, by socketpair(2).
 *
 * @throws {TcpmuxError} `too_many_files`
 */
export function descriptorPair(
  libc: LibcFunctions,
): { inner: number; theirs: Detached } {
  const pair = new Int32Array(2);
  const bytes = new Uint8Array(pair.buffer);
  if (libc.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, bytes) !== 0) {
    throw new TcpmuxError(
      "too_many_files",
      "cannot make a pair of sockets: out of file descriptors or processes",
    );
  }
  const [inner, outer] = pair as unknown as [number, number];
  const release = () => void libc.close(outer);
  return { inner, theirs: { fd: outer, release } };
}

/**
 * A descriptor that is connected to a Unix socket, which takes no time: a
 * server is there, or it is not.
 *
 * @returns undefined where it failed, for whatever reason
 */
export function connectedTo(
  libc: LibcFunctions,
  path: string,
): number | undefined {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = libc.socket(AF_UNIX, type, 0);
  if (fd < 0) return undefined;
  const address = unixAddress(path);
  if (libc.connect(fd, address, address.length) === 0) return fd;
  libc.close(fd);
}

/** A `sockaddr_un`: unix(7). An abstract name has no NUL byte at its end. */
function unixAddress(path: string): Uint8Array {
  const name = path.startsWith("\0") ? path : `${path}\0`;
  const family = new Uint16Array([AF_UNIX]); // in the machine's byte order
  const bytes = new TextEncoder().encode(name);
  return Uint8Array.of(...new Uint8Array(family.buffer), ...bytes);
}

const SOCK_DGRAM = 2;
const MSG_NOSIGNAL = 0x4000;
const CLOCK_MONOTONIC = 1;

/** Undefined where there is no C library to call. */
export function systemCalls(
  libc: LibcFunctions | undefined,
): SystemCalls | undefined {
  if (libc === undefined) return undefined;
  return {
    sendTo(path, bytes) {
      const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      const to = unixAddress(path);
      const length = BigInt(bytes.length);
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      const sent = libc.sendto(fd, bytes, length, flags, to, to.length);
      libc.close(fd);
      if (sent === bytes.length) return;
      const address = path.replace(/^\0/, "@");
      throw new TcpmuxError("unreachable", `nobody takes it at ${address}`);
    },
    setGroups(groups) {
      const list = new Uint8Array(Uint32Array.from(groups).buffer);
      if (libc.setgroups(BigInt(groups.length), list) === 0) return;
      throw new TcpmuxError("permission_denied", "cannot set its groups");
    },
    monotonicTime() {
      const time = new BigInt64Array(2); // a struct timespec of 64 bits
      libc.clock_gettime(CLOCK_MONOTONIC, new Uint8Array(time.buffer));
      return time[0]! * 1_000_000n + time[1]! / 1_000n;
    },
  };
}
