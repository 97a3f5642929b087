import { type ErrorCode, type ErrorFacts, TcpmuxError } from "../errors.ts";

const CODES: Record<string, ErrorCode> = {
  EADDRINUSE: "address_in_use",
  EADDRNOTAVAIL: "address_not_available",
  EAFNOSUPPORT: "address_not_available",
  EINVAL: "address_not_available", // bind(2) to fe80::1 without a zone
  EACCES: "permission_denied",
  EPERM: "permission_denied",
  ENOENT: "not_found",
  ENOEXEC: "not_found",
  ENOTDIR: "not_found",
  ECONNREFUSED: "connection_refused",
  ECONNRESET: "connection_reset",
  ECONNABORTED: "connection_reset",
  EPIPE: "broken_pipe",
  ERR_STREAM_DESTROYED: "broken_pipe",
  ERR_STREAM_WRITE_AFTER_END: "broken_pipe",
  ERR_SOCKET_CLOSED: "broken_pipe",
  ETIMEDOUT: "timed_out",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  ENOTFOUND: "host_not_found",
  EAI_AGAIN: "host_not_found",
  EMFILE: "too_many_files",
  ENFILE: "too_many_files",
  EAGAIN: "too_many_files", // fork(2): the limit on processes is reached
  ENOTCONN: "connection_reset",
  ABORT_ERR: "cancelled",
  ECANCELED: "closed", // a write whose stream was destroyed meanwhile
};

const WORDS: Partial<Record<ErrorCode, string>> = {
  address_in_use: "the address is already in use",
  address_not_available:
    "this machine does not have the address, or no port is free",
  permission_denied: "permission denied",
  not_found: "no such file",
  connection_refused: "connection refused",
  connection_reset: "the connection was reset by the peer",
  broken_pipe: "the other side has closed the connection",
  timed_out: "timed out",
  unreachable: "the host cannot be reached",
  host_not_found: "the host name cannot be resolved",
  too_many_files: "out of file descriptors or processes",
  cancelled: "cancelled",
  closed: "the connection is closed",
};

/** Words for errors of the system that have no code of ours. */
const ERRNO_WORDS: Readonly<Record<string, string>> = {
  EISDIR: "it is a directory",
};

/** Deno's classes of errors, for those that have no errno. */
const DENO_NAMES: Record<string, ErrorCode> = {
  AddrInUse: "address_in_use",
  AddrNotAvailable: "address_not_available",
  BadResource: "closed",
  BrokenPipe: "broken_pipe",
  ConnectionAborted: "connection_reset",
  ConnectionRefused: "connection_refused",
  ConnectionReset: "connection_reset",
  Interrupted: "closed",
  NotCapable: "permission_denied",
  NotConnected: "connection_reset",
  NotFound: "not_found",
  PermissionDenied: "permission_denied",
  TimedOut: "timed_out",
};

/**
 * An error of the system as one of ours, with the same code whichever runtime
 * threw it. A mistake of a programmer, such as a `TypeError`, is returned as it
 * is, with its stack.
 *
 * @param action what failed, for the message, such as
 * `cannot connect to 127.0.0.1:22`
 */
export function fromSystem(
  error: unknown,
  action: string,
  facts: Omit<ErrorFacts, "cause" | "errno"> = {},
): Error {
  if (error instanceof TcpmuxError || isMistake(error)) return error;
  const { code: errno, name, message } = asErrorLike(error);
  const code = CODES[errno] ?? DENO_NAMES[name] ??
    (/lookup|resolve|getaddrinfo/i.test(message) ? "host_not_found" : "failed");
  const words = WORDS[code] ?? ERRNO_WORDS[errno];
  const detail = errno !== "" && words !== undefined ? ` (${errno})` : "";
  return new TcpmuxError(code, `${action}: ${words ?? message}${detail}`, {
    ...facts,
    cause: error,
    ...(errno === "" ? {} : { errno }),
  });
}

/** Deno makes a `TypeError` of the system's EINVAL, with that code. */
function isMistake(error: unknown): error is Error {
  const isOfLanguage = error instanceof TypeError ||
    error instanceof RangeError || error instanceof ReferenceError ||
    error instanceof SyntaxError;
  return isOfLanguage && CODES[asErrorLike(error).code] === undefined;
}

function asErrorLike(error: unknown) {
  const like = (error ?? {}) as { code?: unknown; name?: unknown };
  return {
    code: typeof like.code === "string" ? like.code : "",
    name: typeof like.name === "string" ? like.name : "",
    message: error instanceof Error ? error.message : String(error),
  };
}

export function closedHere(): TcpmuxError {
  return new TcpmuxError("closed", "the connection was closed on this side");
}
