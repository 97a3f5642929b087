import type { Endpoint, Peer } from "../endpoint.ts";
import type { TimerList } from "../timers.ts";
import type { Output, SystemCalls } from "./system.ts";

/** For the option `transport`. Only the library itself can use what it does. */
export interface TransportHandle {
  /** The runtime whose sockets and processes it uses, or `memory`. */
  readonly name: "deno" | "bun" | "node" | "memory";
}

/**
 * One way to sockets and processes: Deno's, Bun's, Node's, or memory without a
 * system. `tests/transport_contract.ts` holds every one to the same promises. A
 * failure of the system is a `TcpmuxError` with the same code on each.
 */
export interface Transport extends TransportHandle {
  /** What differs between transports; see the README's table of runtimes. */
  readonly abilities: Abilities;
  /** Undefined where this runtime cannot call the C library. */
  readonly system?: SystemCalls | undefined;
  /** The deadlines of all connections of this transport. */
  readonly timers: TimerList;
  /**
   * Listens on an address, which `bind.ts` finds for a name. Rejects with
   * `address_in_use`, `permission_denied` and the like.
   */
  listen(endpoint: Endpoint, options?: ListenOptions): Promise<Listener>;
  /**
   * The addresses of a host name, the system's first choice first. Rejects with
   * the runtime's error, such as one with code `ENOTFOUND`.
   */
  lookup(host: string): Promise<readonly string[]>;
  /** Whether a listener on `::` takes IPv4 as well; if missing, it does. */
  isDualStack?(): Promise<boolean>;
  /** Begins to connect to an address; `dial.ts` tries those of a name. */
  connect(endpoint: Endpoint, options?: AttemptOptions): Attempt;
  /**
   * Starts a program as the leader of a process group of its own. Rejects with
   * `not_found`, `permission_denied` and the like.
   */
  spawn(command: Command): Promise<PipedProcess>;
  /**
   * Starts a program on a connected socket, which is a blocking one from then
   * on. The system has got the request when this returns, so the socket cannot
   * change before that. Missing without the ability `socketStdio`.
   */
  spawnOn?(command: SocketCommand): Promise<SocketProcess>;
  /**
   * Keeps programs from inheriting the descriptors that this process itself was
   * started with, except 0 to 2. Called before any program is started; those
   * that are opened later are never inherited.
   *
   * @returns the descriptors that programs inherit nevertheless
   */
  sealInherited?(): readonly number[];
  /** Closes the debugger that Deno opens at SIGUSR1, if it may. */
  closeDebugger?(): Promise<void>;
  /** Listens on a socket that this process was started with. */
  listenOn?(fd: number, at?: Endpoint, how?: ListenOptions): Promise<Listener>;
  /** A connection that is open already: `connection_reset` if its peer left. */
  connOn?(fd: number): Promise<Conn>;
  /** The standard input and output of this program itself. */
  stdio(): Conn;
  /** Standard output or standard error of this program itself. */
  output(descriptor: 1 | 2): Output;
  /** Collects garbage. Only the command line calls it, no library. */
  collectGarbage?(): void;
}

export interface Abilities {
  /** `abort()` sends a TCP reset. Without this, it closes at once. */
  readonly reset: boolean;
  /** Programs can be started. Deno must have been given the permission. */
  readonly programs: boolean;
  /** A program can get an accepted connection's socket (`spawnOn`). */
  readonly socketStdio: boolean;
  /** There are Unix sockets. Deno must have been given the permission. */
  readonly unix: boolean;
  /** `fs.watch` tells of all that happens in a folder, and never blocks. */
  readonly folderEvents: boolean;
}

export interface ListenOptions {
  /**
   * Connections that the kernel may hold before they are accepted, 511 by
   * default. Bun has no such setting and always asks for 512.
   */
  backlog?: number;
  /** Whether TLS can go on with its connections: of node:net, but on Deno. */
  forTls?: boolean;
}

export interface AttemptOptions {
  /**
   * Milliseconds after which the attempt fails with code `timed_out`; 0, the
   * default, waits as long as the system does.
   */
  timeout?: number;
  /** Whether TLS can go on with it: by node:net, but on Deno. */
  forTls?: boolean;
}

/** A connection that is being opened. */
export interface Attempt {
  /** Rejects with `timed_out`, `cancelled`, `connection_refused` and the like. */
  readonly conn: Promise<Conn>;
  /** Gives up: `conn` rejects with code `cancelled`, if it is not there yet. */
  abort(): void;
}

/** A listening socket. */
export interface Listener {
  /** Where it listens; the port is the real one where 0 was asked for. */
  readonly endpoint: Endpoint;
  /** The next connection; null once closed. Rejects when accepting failed. */
  accept(): Promise<Conn | null>;
  /** Stops listening at once. Connections that were accepted live on. */
  close(): void;
}

/**
 * A connection. The function that gets one closes it, unless a function's
 * documentation says that its caller does. One `read` or `pipeTo` and any
 * number of `write`s may be under way at a time; writes keep their order.
 */
export interface Conn extends Peer {
  /**
   * How the input has ended: undefined while it has not, null in good order, or
   * the error that broke the connection. Bytes before the end may be unread.
   */
  readonly end: undefined | null | Error;
  /** Whether `pipeTo` holds bytes that its sink has not taken yet. */
  readonly waiting: boolean;
  /**
   * Has the pipe that ends here count the bytes that the system has taken. Where
   * it is missing, they are counted by themselves.
   */
  countTaken?(): void;
  /**
   * The next bytes, which belong to the caller; null at the end of the stream.
   * While nobody reads, the peer is held back.
   * Rejects with `connection_reset` or `closed`.
   */
  read(): Promise<Uint8Array | null>;
  /**
   * Ends the read that is under way, which rejects with `error`, or the pipe,
   * which reports nothing more. The connection stays open, and loses no byte.
   */
  interrupt(error: Error): void;
  /**
   * Resolves when the system has taken all the bytes: awaiting it is what
   * holds a fast sender back. The bytes must not change until then.
   * Rejects with `broken_pipe`, `connection_reset` or `closed`.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends our side after what was written (half-close); reading goes on. */
  closeWrite(): Promise<void>;
  /**
   * Closes the connection once everything is written; unread input is dropped.
   * Calling it again does nothing.
   */
  close(): void;
  /** Closes the connection at once, by a reset where the transport has one. */
  abort(): void;
  /**
   * Whether the other end is still there, as far as the system knows. It has to
   * be asked: no runtime watches a socket that it does not read from.
   */
  isAlive(): Promise<boolean>;
  /**
   * Sends the input to `sink` until it ends, as reading and writing in turn
   * would, but by the runtime's shortest way. Nobody else may read from this
   * connection or write to the sink meanwhile.
   *
   * @param pump its methods are called, perhaps before this returns
   * @returns false, and nothing has begun, where there is no shorter way
   */
  pipeTo?(sink: Conn, pump: Pump): boolean;
  /**
   * Stops reading at once and gives the descriptor away, for a program to go
   * on with. After that only `release` or `resume` may be called, and then
   * `close` or `abort`.
   *
   * @returns undefined, and nothing has changed, where bytes are unread, the
   * connection is over, or it has no descriptor
   */
  detach?(): Detached | undefined;
}

/** What a {@linkcode Conn.pipeTo} reports to. */
export interface Pump {
  /** The sink has taken `count` bytes of this source. */
  moved(source: Conn, count: number): void;
  /** The sink has not taken all at once: the source is held back. */
  held(source: Conn): void;
  /**
   * The source has ended, and the sink has been given all: null in good
   * order, or the error that broke the source.
   */
  over(source: Conn, end: null | Error): void;
  /** The sink takes no more: the bytes read from the source last are lost. */
  sinkBroken(source: Conn, error: Error): void;
}

/** A connection that is only a descriptor any more. */
export interface Detached {
  readonly fd: number;
  /** Closes our descriptor; a program that has the socket keeps it open. */
  release(): void;
  /**
   * Reads and writes again, in place of `release`. Missing on Bun, which reads
   * from a socket that its peer has reset even where it was told not to.
   */
  resume?(): Conn;
}

/** A program to start. There is no shell between. */
export interface Command {
  /** The path of the program file. */
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** @default the server's own */
  readonly cwd?: string;
  /** @default the server's own */
  readonly umask?: number;
  /** @default "null" */
  readonly stderr?: "pipe" | "null";
}

/** A program to start on a socket that was a connection of ours. */
export interface SocketCommand extends Omit<Command, "stderr"> {
  /**
   * Its standard input and output. The process that is started keeps it; where
   * none is started, it is the caller's still.
   */
  readonly socket: Detached;
  /** @default "null" */
  readonly stderr?: "pipe" | "null" | "socket";
}

/** How a program ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A running program. */
export interface Process {
  readonly pid: number;
  /** The next bytes of its standard error; null at the end, or if not piped. */
  readStderr(): Promise<Uint8Array | null>;
  /** Closes our end of its standard error; others may hold the far end. */
  closeStderr(): void;
  readonly exited: Promise<Exit>;
  /**
   * Signals its whole process group; 0 sends nothing and only checks. A group
   * that was empty once is never signalled again: its number may be another's.
   *
   * @returns whether the group has any process
   */
  signalGroup(signal: "SIGTERM" | "SIGKILL" | 0): boolean;
}

/** A running program on a socket that was a connection of ours. */
export interface SocketProcess extends Process {
  /**
   * The connection again, once, when the program has ended: it must be closed,
   * and what the program has not read of it would reset it. Undefined where
   * this runtime could not keep a descriptor of its own.
   */
  reclaim(): Promise<Conn | undefined>;
}

/** A running program whose standard input and output lead to us. */
export interface PipedProcess extends Process {
  /** Reads its standard output; writes its standard input. */
  readonly stdio: ProcessConn;
}

/** A program's standard input and output, which others may still hold. */
export interface ProcessConn extends Conn {
  /** Called when our side ends: the program has been sent all of its input. */
  inputEnded?: (() => void) | undefined;
  /**
   * Treats the output as ended, though others may hold its far end.
   *
   * @returns whether it has ended; it goes on while bytes that came before wait
   * to be read or to be taken by a sink
   */
  endInput(): boolean;
}
