/** Bun's own sockets, as far as we use them: https://bun.com/docs/api/tcp */

/** The members of Bun's sockets that a connection needs, and no more. */
export interface BunSocket {
  data: unknown;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  /** The descriptor; below 0 when closed. */
  readonly fd: number;
  /** Bytes taken, which may be fewer than given; -1 when closed. */
  write(bytes: Uint8Array): number;
  pause(): void;
  resume(): void;
  shutdown(): void;
  end(): void;
  /** As `end`, but whoever else has the socket may write on. */
  close(): void;
  terminate(): void;
  setKeepAlive(on: boolean, delay: number): boolean;
}

/** What Bun calls on a socket; `data` is its owner once there is one. */
export interface BunHandlers {
  binaryType: "uint8array";
  open(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

/** The connection that a socket is of. */
export interface SocketOwner {
  /** @param bytes the owner's alone, in memory that holds nothing else */
  arrived(bytes: Uint8Array): void;
  drained(): void;
  ended(): void;
  /** Bun's last word. */
  gone(error: Error | undefined): void;
}

/** Shared by all sockets: none has functions of its own. */
export const HANDLERS: BunHandlers = {
  binaryType: "uint8array",
  open() {},
  data: (socket, bytes) => ownerOf(socket)?.arrived(bytes),
  drain: (socket) => ownerOf(socket)?.drained(),
  end: (socket) => ownerOf(socket)?.ended(),
  close: (socket, error) => ownerOf(socket)?.gone(error),
  error: (socket, error) => ownerOf(socket)?.gone(error),
};

function ownerOf({ data }: BunSocket): SocketOwner | undefined {
  return data as SocketOwner | undefined;
}
