import type { Endpoint } from "../endpoint.ts";
import type { Cancel } from "./cancel.ts";
import type { Reader } from "./reader.ts";

/** What a {@linkcode Transport} is asked for when it listens. */
export interface ListenOptions {
  /**
   * Connections that the kernel may hold before they are accepted.
   * Bun has no such setting and always asks for 512.
   * @default 511
   */
  backlog?: number;
}

/** What a {@linkcode Transport} is asked for when it connects. */
export interface ConnectOptions {
  /** Gives up when aborted: the promise rejects with code `cancelled`. */
  signal?: Cancel;
  /**
   * Milliseconds after which the promise rejects with code `timed_out`;
   * 0 waits as long as the system does.
   * @default 0
   */
  timeout?: number;
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

/** A program to start on a socket in place of pipes. */
export interface SocketCommand extends Omit<Command, "stderr"> {
  /** The descriptor that is its standard input and output. */
  readonly socket: number;
  /** @default "null" */
  readonly stderr?: "pipe" | "null" | "socket";
}

/**
 * One way to sockets and processes: Deno's, Bun's, Node's or none at all.
 * `tests/transport_contract.ts` holds every one to the same promises.
 * All failures are `TcpmuxError`s with the same code on each.
 */
export interface Transport {
  readonly name: "deno" | "bun" | "node" | "memory";
  /** What differs; see the README's table of runtimes. */
  readonly abilities: Abilities;
  listen(endpoint: Endpoint, options?: ListenOptions): Promise<Listener>;
  connect(endpoint: Endpoint, options?: ConnectOptions): Promise<Conn>;
  /** Starts a program at the head of a process group of its own. */
  spawn(command: Command): Promise<Program>;
  /**
   * The same on a connected socket, which blocks from then on. The system has
   * been asked when this returns: nothing can become of the socket before.
   * Missing without the ability `socketStdio`.
   */
  spawnOn?(command: SocketCommand): Promise<Process>;
  /**
   * Keeps from programs what this process itself was started with besides its
   * standard input, output and error. Called before any is started; all else
   * that we open is kept from them anyway.
   *
   * @returns the descriptors that they inherit nevertheless
   */
  sealInherited?(): readonly number[];
  /** The standard input and output of this program itself. */
  stdio(): Conn;
}

export interface Abilities {
  /** `abort()` sends a TCP reset. Without it, it closes at once. */
  readonly reset: boolean;
  /** Programs can be started. Deno must have been given the permission. */
  readonly programs: boolean;
  /** A program can get an accepted connection's socket: `spawnOn`. */
  readonly socketStdio: boolean;
  /** There are Unix sockets. Deno must have been given the permission. */
  readonly unix: boolean;
}

/** An open door. */
export interface Listener {
  /** Where it listens; the port is the real one where 0 was asked for. */
  readonly endpoint: Endpoint;
  /** The next connection; null once closed. Rejects when accepting failed. */
  accept(): Promise<Conn | null>;
  /** Stops listening at once. Connections that were accepted live on. */
  close(): void;
}

/**
 * A connection, or anything of its shape. Whoever is handed one closes it.
 * One `read` and any number of `write`s may be under way at a time; writes
 * keep their order.
 */
export interface Conn {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /**
   * The next bytes, which are the caller's to keep; null at the end of the
   * stream. While nobody reads, the peer is held back.
   * Rejects with `connection_reset` or `closed`.
   */
  read(): Promise<Uint8Array | null>;
  /** As `read`, but tells `reader`, which takes no promise where it waits. */
  readTo?(reader: Reader): void;
  /**
   * Resolves when the system has taken all the bytes: awaiting it is what
   * holds a fast sender back. The bytes must not change until then.
   * Rejects with `broken_pipe` or `connection_reset`.
   */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Carries what comes from here to `sink` until it ends, as reading and
   * writing in turn would, but by the runtime's shortest way. Nobody else
   * reads here or writes there meanwhile.
   *
   * @param carriage told what becomes of it, perhaps before this returns
   * @returns whether there is a shorter way to this sink
   */
  carryTo?(sink: Conn, carriage: Carriage): boolean;
  /** The connection that bytes written to this one end up in, unchanged. */
  intake?(): Intake;
  /**
   * Stops reading at once and gives the descriptor away, for a program to go
   * on with. Only `release` and `abort` may follow.
   *
   * @returns undefined, and nothing has changed, where bytes lie unread, it
   * is over, or there is no descriptor to give
   */
  detach?(): Detached | undefined;
  /** Ends our side after what was written (half-close); reading goes on. */
  closeWrite(): Promise<void>;
  /** Lets go of the connection in good order. May be called again. */
  close(): void;
  /** Lets go at once, with a reset where the transport is able to. */
  abort(): void;
  /** The same connection as Web Streams. Use these or the methods, not both. */
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

/** A connection of which only the descriptor is left to us. */
export interface Detached {
  readonly fd: number;
  /** Closes our descriptor; whoever else has the socket keeps it as it is. */
  release(): void;
}

/** Bytes on their way from one connection to another. */
export interface Carriage {
  /** Whose bytes they are, where somebody counts them. */
  source: Meter | undefined;
  /** The sink took so many bytes. */
  moved(count: number): void;
  /** The source has come to its end, and the sink has been given all. */
  ended(): void;
  /** The sink takes no more; what was read of it last is lost. */
  sinkBroken(error: unknown): void;
  /** The source broke, as `read` would reject. */
  failed(error: unknown): void;
}

/** Told of bytes that pass it by. */
export interface Meter {
  received(count: number): void;
  sent(count: number): void;
  /** What was carried from here is over; `ended` is the end of the stream. */
  carried(ended: boolean): void;
  /** Nothing can be written any more. */
  broken?(error: unknown): void;
}

/** Where bytes can be written past a wrapper, if it is told of them. */
export interface Intake {
  readonly conn: Conn;
  readonly meter: Meter | undefined;
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
  /** Lets go of its standard error, whoever else still holds it. */
  closeStderr(): void;
  readonly exited: Promise<Exit>;
  /**
   * Signals its whole process group. 0 only asks.
   * @returns whether anybody was there to get it
   */
  signalGroup(signal: "SIGTERM" | "SIGKILL" | 0): boolean;
}

/** A running program whose standard input and output are pipes to us. */
export interface Program extends Process {
  /** Reads its standard output; writes its standard input. */
  readonly stdio: ProgramStdio;
}

/** A program's pipes, of which others may still hold the far ends. */
export interface ProgramStdio extends Conn {
  /**
   * Calls what is read or carried from here over, as if its end had come.
   *
   * @returns whether it is over; it is not, and goes on, where nobody waits
   * for more, because what came before is still on its way
   */
  endRead(): boolean;
}
