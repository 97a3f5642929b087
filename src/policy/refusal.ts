import type { ErrorCode } from "../errors.ts";

/**
 * How a connection ended. `served` and `help`: the client got what it asked
 * for. `unknown`: no service has that name. `denied`: the client may not use
 * it. `busy`: a limit is reached. `malformed`: the request is wrong. `timeout`:
 * a deadline was missed. `failed`: the service could not be opened, or it has a
 * fault. `aborted`: one side broke off, or the server stopped.
 */
export type Outcome =
  | "served"
  | "help"
  | "unknown"
  | "denied"
  | "busy"
  | "malformed"
  | "timeout"
  | "failed"
  | "aborted";

/** Why a client is not served, as a value: for the log and for the client. */
export interface Refusal {
  readonly kind: "refuse";
  readonly outcome: Outcome;
  /** The reason in the log. */
  readonly reason: string;
  /** The text behind the `-` of the reply. */
  readonly text: string;
  /** The error behind the refusal, where there is one. */
  readonly code?: ErrorCode;
}

export function refusal(
  outcome: Outcome,
  reason: string,
  text: string,
  code?: ErrorCode,
): Refusal {
  return {
    kind: "refuse",
    outcome,
    reason,
    text,
    ...(code === undefined ? {} : { code }),
  };
}

/** Refusals that do not depend on the service. */
export const REFUSALS = {
  draining: refusal(
    "busy",
    "the server is shutting down",
    "Server is shutting down",
  ),
  slow: refusal(
    "timeout",
    "no complete service line within handshake_timeout",
    "Timed out waiting for a service name",
  ),
  cutShort: refusal(
    "malformed",
    "the client closed before its service line was complete",
    "Service name cut short",
  ),
};

/** A limit is reached; another attempt may succeed. */
export function busy(reason: string): Refusal {
  return refusal("busy", reason, "Server busy, try again later");
}

export function malformed(reason: string): Refusal {
  return refusal("malformed", reason, "Malformed service name");
}

/** The service exists, but cannot be opened now. */
export function unavailable(reason: string, code?: ErrorCode): Refusal {
  return refusal("failed", reason, "Service temporarily unavailable", code);
}
