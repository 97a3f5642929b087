import type { Outcome } from "../account.ts";
import type { ErrorCode } from "../errors.ts";
import type { Service } from "../table/service.ts";
import type { Table } from "../table/table.ts";
import { HELP } from "../wire.ts";

/** A refusal is a value: what the log says and what the client is told. */
export interface Refusal {
  readonly kind: "refuse";
  readonly outcome: Outcome;
  /** For the log. */
  readonly reason: string;
  /** Behind the `-`. */
  readonly text: string;
  /** What failed, where something did. */
  readonly code?: ErrorCode;
}

export type Decision =
  | Refusal
  | { readonly kind: "help"; readonly names: readonly string[] }
  | { readonly kind: "serve"; readonly service: Service };

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

/** The same words for all that may not be used: nobody learns what exists. */
const NOT_AVAILABLE = "Service not available";

/** Decides what a client gets who asks for `name`, before any `+`. */
export function decide(table: Table, name: string): Decision {
  if (name.toUpperCase() === HELP) {
    return table.server.help
      ? { kind: "help", names: listedNames(table) }
      : refusal("denied", "HELP is switched off", NOT_AVAILABLE);
  }
  const service = table.find(name);
  if (service === undefined) {
    return refusal(
      "unknown",
      `no service is called ${JSON.stringify(name)}`,
      NOT_AVAILABLE,
    );
  }
  if (!service.enabled) {
    return refusal(
      "denied",
      `the service ${service.name} is not enabled`,
      NOT_AVAILABLE,
    );
  }
  return { kind: "serve", service };
}

function listedNames(table: Table): string[] {
  return table.services
    .filter((service) => service.listed && service.enabled)
    .map((service) => service.name);
}

/** The refusals that are not of one service. */
export const REFUSALS = {
  busy: refusal(
    "busy",
    "max_connections is reached",
    "Server busy, try again later",
  ),
  draining: refusal(
    "busy",
    "the server is shutting down",
    "Server is shutting down",
  ),
  slow: refusal(
    "timeout",
    "no service line within handshake_timeout",
    "Timed out waiting for a service name",
  ),
  cutShort: refusal(
    "malformed",
    "the client ended before its service line did",
    "Service name cut short",
  ),
};

export function malformed(why: string): Refusal {
  return refusal("malformed", why, "Malformed service name");
}

/** A service that is there but cannot be opened right now. */
export function unavailable(why: string, code?: ErrorCode): Refusal {
  return refusal("failed", why, "Service temporarily unavailable", code);
}
