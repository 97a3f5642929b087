/** Bun's own sockets, as far as they are used: https://bun.com/docs/api/tcp */

/** The members of a socket that a connection needs, and no more. */
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
  /** As `end`, but a program that has the socket may still write to it. */
  close(): void;
  terminate(): void;
  setKeepAlive(on: boolean, delay: number): boolean;
}

/** What Bun calls on a socket, whose `data` is its owner, if it has one. */
export interface BunHandlers {
  binaryType: "uint8array";
  open(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

/** The owner of a socket: its connection. */
export interface BunSocketOwner {
  /** @param bytes belong to the owner, in memory that nothing else shares */
  arrived(bytes: Uint8Array): void;
  drained(): void;
  /** The input has ended in good order. */
  over(end: null): void;
  /** The socket is closed: Bun calls nothing after this. */
  closed(error: Error | undefined): void;
  /** One of these functions threw. */
  threw(error: Error): void;
}

/** All sockets share these: none has functions of its own. */
export const HANDLERS: BunHandlers = {
  binaryType: "uint8array",
  open() {},
  data: (socket, bytes) => ownerOf(socket)?.arrived(bytes),
  drain: (socket) => ownerOf(socket)?.drained(),
  end: (socket) => ownerOf(socket)?.over(null),
  close: (socket, error) => ownerOf(socket)?.closed(error),
  error: (socket, error) => ownerOf(socket)?.threw(error),
};

function ownerOf({ data }: BunSocket): BunSocketOwner | undefined {
  return data as BunSocketOwner | undefined;
}
