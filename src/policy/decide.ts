import type { Outcome } from "../record.ts";
import type { Endpoint } from "../endpoint.ts";
import type { ErrorCode } from "../errors.ts";
import type { Service } from "../table/service.ts";
import type { Table } from "../table/table.ts";
import { HELP, helpText } from "../wire.ts";
import { NOBODY } from "./access.ts";
import { type Guarded, keptOutOf } from "./kept_out.ts";

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
  | { readonly kind: "help"; readonly text: Uint8Array }
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

/** Who asks, and when. */
export interface Asking {
  readonly remote: Endpoint;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Decides what a client gets who asks for `name`, before any `+`. */
export function decide(table: Table, name: string, asking: Asking): Decision {
  if (name.toUpperCase() === HELP) {
    return table.server.help
      ? { kind: "help", text: listed(table, asking) }
      : refusal("denied", "HELP is switched off", NOT_AVAILABLE);
  }
  const service = table.find(name);
  // What does not exist goes the same way as what is forbidden, and as long.
  const why = barred(table, service ?? NO_SERVICE, asking);
  if (service === undefined) {
    return refusal(
      "unknown",
      `no service is called ${JSON.stringify(name)}`,
      NOT_AVAILABLE,
    );
  }
  return why === undefined
    ? { kind: "serve", service }
    : refusal("denied", why, NOT_AVAILABLE);
}

/** The same where there is no name, but a service at once. */
export function decideOn(
  table: Table,
  service: Service,
  asking: Asking,
): Decision {
  const why = barred(table, service, asking);
  return why === undefined
    ? { kind: "serve", service }
    : refusal("denied", why, NOT_AVAILABLE);
}

/** Why this client may not use a service now, for the log. */
function barred(
  table: Table,
  service: Guarded,
  { remote, now }: Asking,
): string | undefined {
  // Whoever is refused has waited for one look at the clock, if there is any
  // in the table: the time tells nobody what there is.
  const isOpen = service.hours?.include(now) ?? true;
  const why = keptOutOfAll(table, remote) ?? keptOutOf(service, remote);
  if (why === undefined) {
    return isOpen
      ? undefined
      : `the service ${service.name} is closed at this hour`;
  }
  if (service.hours === undefined) table.someHours?.include(now);
  return why;
}

function keptOutOfAll(
  { server }: Table,
  remote: Endpoint,
): string | undefined {
  if (remote.transport === "unix") return undefined;
  const { host } = remote;
  const list = server.access.keepsOut(host);
  return list && `${host} is kept out by server.${list}`;
}

const NO_SERVICE: Guarded = {
  name: "",
  enabled: true,
  access: NOBODY,
  hours: undefined,
};

function listed(table: Table, { remote, now }: Asking): Uint8Array {
  return keptOutOfAll(table, remote) === undefined
    ? table.listing.textFor(remote, now)
    : helpText([]);
}

/** The refusals that are not of one service. */
export const REFUSALS = {
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

/** A limit was hit: another time it may work. */
export function busy(why: string): Refusal {
  return refusal("busy", why, "Server busy, try again later");
}

export function malformed(why: string): Refusal {
  return refusal("malformed", why, "Malformed service name");
}

/** A service that is there but cannot be opened right now. */
export function unavailable(why: string, code?: ErrorCode): Refusal {
  return refusal("failed", why, "Service temporarily unavailable", code);
}
