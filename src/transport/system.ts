/** What is asked of the system besides connections. */

/**
 * A standard descriptor to write to. The program goes on while nobody reads,
 * and can end. What other programs share is left as it was.
 */
export interface Output {
  /**
   * Resolves when the system has taken all the bytes. One write may be under
   * way at a time. Rejects with `broken_pipe` and the like.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Gives back what it has opened. The descriptor itself stays open. */
  release?(): void;
}

/** What is asked of the system, where a runtime has no function for it. */
export interface SystemCalls {
  /**
   * Sends a datagram to a Unix socket, without waiting; a path that begins with
   * a NUL byte is an abstract name.
   *
   * @throws {TcpmuxError} code `unreachable` where nobody takes it
   */
  sendTo(path: string, bytes: Uint8Array): void;
  /**
   * Sets the supplementary groups of all threads.
   *
   * @throws {TcpmuxError} code `permission_denied`
   */
  setGroups(groups: readonly number[]): void;
  /** Microseconds of CLOCK_MONOTONIC, see clock_gettime(2). */
  monotonicTime(): bigint;
}
