import type { ErrorCode } from "../errors.ts";
import { type EndCode, type Outcome, OUTCOMES } from "./ending.ts";

/** Why a client is not served, as a value: for the log and for the client. */
export interface Refusal {
  readonly kind: "refuse";
  readonly code: EndCode;
  readonly outcome: Outcome;
  /** The reason in the log. */
  readonly reason: string;
  /** The text behind the `-` of the reply. */
  readonly text: string;
  /** The error behind the refusal, where there is one. */
  readonly error?: ErrorCode;
}

export function refusal(
  code: EndCode,
  reason: string,
  text: string,
  error?: ErrorCode,
): Refusal {
  return {
    kind: "refuse",
    code,
    outcome: OUTCOMES[code],
    reason,
    text,
    ...(error === undefined ? {} : { error }),
  };
}

/** Refusals that do not depend on the service. */
export const REFUSALS = {
  draining: refusal(
    "draining",
    "the server is shutting down",
    "Server is shutting down",
  ),
  slow: refusal(
    "timeout",
    "no complete service line within handshake_timeout",
    "Timed out waiting for a service name",
  ),
  cutShort: refusal(
    "eof",
    "the client closed before its service line was complete",
    "Service name cut short",
  ),
};

/** A limit is reached; another attempt may succeed. */
export function busy(code: EndCode, reason: string): Refusal {
  return refusal(code, reason, "Server busy, try again later");
}

export function malformed(code: EndCode, reason: string): Refusal {
  return refusal(code, reason, "Malformed service name");
}

/** The service exists, but cannot be opened now. */
export function unavailable(reason: string, error?: ErrorCode): Refusal {
  const text = "Service temporarily unavailable";
  return refusal("backend_down", reason, text, error);
}
