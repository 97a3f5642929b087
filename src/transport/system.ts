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
