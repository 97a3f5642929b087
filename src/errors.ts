/**
 * The kinds of failures. The codes are stable: programs may compare them, and
 * the log and the exit codes are made from them.
 */
export type ErrorCode =
  /** Another socket listens at the address. */
  | "address_in_use"
  /** The machine has no such address, or no free port. */
  | "address_not_available"
  /** A write to a side that takes no more bytes. */
  | "broken_pipe"
  /** A server has reached a limit: another attempt may succeed. */
  | "busy"
  /** The caller has given up. */
  | "cancelled"
  /** The connection or the server was closed on this side. */
  | "closed"
  /** Nothing listens at the address. */
  | "connection_refused"
  /** The other side has broken the connection. */
  | "connection_reset"
  /** Any other failure. */
  | "failed"
  /** The host name has no address. */
  | "host_not_found"
  /** A service table is wrong, or cannot be read. */
  | "invalid_table"
  /** A file or a program is missing. */
  | "not_found"
  /** The system or the runtime does not permit it. */
  | "permission_denied"
  /** The other side does not speak TCPMUX (RFC 1078). */
  | "protocol"
  /** A server has answered `-`. */
  | "refused"
  /** A deadline was missed. */
  | "timed_out"
  /** The limit on descriptors or processes is reached. */
  | "too_many_files"
  /** No route leads to the host. */
  | "unreachable"
  /** This runtime cannot do it. */
  | "unsupported"
  /** By TLS, one side does not trust the certificate of the other. */
  | "untrusted"
  /** An argument or a flag is wrong. */
  | "usage";

/** What is known of a failure besides its code and its sentence. */
export interface ErrorFacts {
  /** The error behind this one: usually the runtime's own. */
  cause?: unknown;
  /** The address that was listened on or connected to, as text. */
  address?: string;
  /** The program that was to be started. */
  program?: string;
  /** The system's name of the error, such as `ECONNREFUSED`. */
  errno?: string;
}

/**
 * The one class of error that this project throws. Misuse of a function is the
 * exception: it throws a `TypeError` or `RangeError`.
 */
export class TcpmuxError extends Error {
  /** What stands before the message where the error is printed. */
  override readonly name: string = "TcpmuxError";
  /** Tells programs which error it is; messages may change. */
  readonly code: ErrorCode;
  /** The address that was listened on or connected to, as text. */
  readonly address: string | undefined;
  /** The program that was to be started. */
  readonly program: string | undefined;
  /** The system's name of the error, such as `ECONNREFUSED`. */
  readonly errno: string | undefined;

  /**
   * One failure.
   *
   * @param code which kind of failure it is
   * @param message one sentence: what failed, and why
   * @param facts what is known of it besides
   */
  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? {} : { cause: facts.cause });
    this.code = code;
    this.address = facts.address;
    this.program = facts.program;
    this.errno = facts.errno;
  }
}

/**
 * The server has answered `-`. Its code is `busy` where the reply's words say
 * that another attempt may succeed, `untrusted` where tcpmux says so of the
 * client's certificate, `protocol` where it requires TLS, and `refused`
 * otherwise.
 */
export class RefusedError extends TcpmuxError {
  /** Shown before the message when the error is printed. */
  override readonly name: string = "RefusedError";
  /** The text after the `-`, with only printable ASCII characters. */
  readonly reply: string;

  /**
   * For a reply that begins with `-`.
   *
   * @param service the name that the client asked for
   * @param server the address of the server, as text
   * @param reply the text after the `-`
   * @param why what the reply is known to mean, where that is TLS
   */
  constructor(
    service: string,
    server: string,
    reply: string,
    why?: { readonly code: ErrorCode; readonly cure: string },
  ) {
    // RFC 1078 has no code for busy: only the words of the reply show it.
    const busy = /\b(busy|try again|too many|temporar|shutting down)/i.test(
      reply,
    );
    super(
      why?.code ?? (busy ? "busy" : "refused"),
      `${server} refuses ${JSON.stringify(service)}: ${reply || "(no reason)"}${
        why === undefined ? "" : ` (${why.cure})`
      }`,
      { address: server },
    );
    this.reply = reply;
  }
}

/** The sentence of any thrown value, without a stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The stack of any thrown value, for faults that a programmer has to find. */
export function stackOf(error: unknown): string {
  return error instanceof Error && error.stack ? error.stack : String(error);
}

/** The code of any thrown value: `failed` for one that is no `TcpmuxError`. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof TcpmuxError ? error.code : "failed";
}

/** Whether the error means that a peer has disconnected, which is not a bug. */
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

/** The same error, with what to do; as it is where there is nothing to do. */
export function withCure(error: unknown, cure: string | undefined): unknown {
  if (!cure || !(error instanceof TcpmuxError)) return error;
  const { code, message, address, errno } = error;
  return new TcpmuxError(code, `${message} (${cure})`, {
    cause: error,
    ...(address === undefined ? {} : { address }),
    ...(errno === undefined ? {} : { errno }),
  });
}
