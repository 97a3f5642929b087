/**
 * Every failure that a caller may want to tell apart. The codes are stable:
 * programs may compare them, and the log and the exit codes are made from them.
 */
export type ErrorCode =
  | "address_in_use"
  | "address_not_available"
  | "broken_pipe"
  | "busy"
  | "cancelled"
  | "closed"
  | "connection_refused"
  | "connection_reset"
  | "failed"
  | "host_not_found"
  | "invalid_table"
  | "not_found"
  | "permission_denied"
  | "protocol"
  | "refused"
  | "timed_out"
  | "too_many_files"
  | "unreachable"
  | "unsupported"
  | "usage";

/** What is known of a failure besides its code and its sentence. */
export interface ErrorFacts {
  /** What this was caused by: usually the runtime's own error. */
  cause?: unknown;
  /** The address that was listened on or connected to, as text. */
  address?: string;
  /** The program that was to be started. */
  program?: string;
  /** The system's name of the error, such as `ECONNREFUSED`. */
  errno?: string;
}

/**
 * The one class of error that this project throws for anything but misuse of
 * a function, which is a `TypeError` or `RangeError`.
 */
export class TcpmuxError extends Error {
  override readonly name: string = "TcpmuxError";
  readonly code: ErrorCode;
  readonly address: string | undefined;
  readonly program: string | undefined;
  readonly errno: string | undefined;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? {} : { cause: facts.cause });
    this.code = code;
    this.address = facts.address;
    this.program = facts.program;
    this.errno = facts.errno;
  }
}

/** The sentence of any thrown value, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of any thrown value; what is not ours is `failed`. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof TcpmuxError ? error.code : "failed";
}

/** The peer is gone or broke the connection: nobody's bug. */
export function isDisconnect(error: unknown): boolean {
  switch (codeOf(error)) {
    case "connection_reset":
    case "broken_pipe":
    case "closed":
    case "timed_out":
    case "unreachable":
      return true;
    default:
      return false;
  }
}
