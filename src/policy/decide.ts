import type { Endpoint } from "../endpoint.ts";
import { HELP, helpText } from "../wire.ts";
import { type Access, NOBODY } from "./access.ts";
import type { Hours } from "./hours.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** The part of a service that says who may use it, and when. */
export interface Guarded {
  readonly name: string;
  readonly enabled: boolean;
  readonly access: Access;
  readonly hours: Hours | undefined;
}

/** The part of a service table that decisions need. */
export interface GuardedTable<S extends Guarded> {
  readonly server: { readonly help: boolean; readonly access: Access };
  readonly listing: Listing;
  /** The hours of one of the services; undefined if none has hours. */
  readonly someHours: Hours | undefined;
  find(name: string): S | undefined;
}

export type Decision<S extends Guarded> =
  | Refusal
  | { readonly kind: "help"; readonly text: Uint8Array }
  | { readonly kind: "serve"; readonly service: S };

/** Who asks, and when. */
export interface Asking {
  readonly remote: Endpoint;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * One text for services that do not exist and for those that the client may
 * not use: the reply does not tell which services exist.
 */
const NOT_AVAILABLE = "Service not available";

/** Decides what a client that asks for `name` gets, before any `+`. */
export function decide<S extends Guarded>(
  table: GuardedTable<S>,
  name: string,
  asking: Asking,
): Decision<S> {
  if (name.toUpperCase() === HELP) {
    return table.server.help
      ? { kind: "help", text: listed(table, asking) }
      : refusal("denied", "HELP is switched off", NOT_AVAILABLE);
  }
  const service = table.find(name);
  if (service !== undefined) return decideOn(table, service, asking);
  // The checks run for an unknown name too, so that its refusal takes as long
  // as that of a service that the client may not use.
  decideOn<Guarded>(table, NO_SERVICE, asking);
  return refusal(
    "unknown",
    `no service is called ${JSON.stringify(name)}`,
    NOT_AVAILABLE,
  );
}

/** Decides on a service that the listener has chosen, not the client's name. */
export function decideOn<S extends Guarded>(
  table: GuardedTable<S>,
  service: S,
  { remote, now }: Asking,
): Decision<S> {
  // Looking at the clock is slow. If any service of the table has hours, every
  // refusal looks at a clock once: its time does not tell what exists.
  const isOpenNow = service.hours?.include(now) ?? true;
  const isForAll = table.server.access.admitsAll && service.access.admitsAll &&
    service.enabled;
  const reason = isForAll
    ? undefined
    : keptOutOfAll(table, remote) ?? keptOutOf(service, remote);
  if (reason === undefined && isOpenNow) return { kind: "serve", service };
  if (service.hours === undefined) table.someHours?.include(now);
  return refusal(
    "denied",
    reason ?? `the service ${service.name} is closed at this hour`,
    NOT_AVAILABLE,
  );
}

/** A service that nobody may use, checked in place of one that is missing. */
const NO_SERVICE: Guarded = {
  name: "",
  enabled: true,
  access: NOBODY,
  hours: undefined,
};

/**
 * The clients of a Unix socket have no address: the permissions of its file
 * say who may connect, and neither the server's nor a service's lists do.
 */
function keptOutOfAll<S extends Guarded>(
  { server }: GuardedTable<S>,
  remote: Endpoint,
): string | undefined {
  if (remote.transport === "unix") return undefined;
  const list = server.access.keepsOut(remote.host);
  return list && `${remote.host} is kept out by server.${list}`;
}

/** Why a client may not use a service at any hour, for the log. */
function keptOutOf(
  { name, enabled, access }: Guarded,
  remote: Endpoint,
): string | undefined {
  if (remote.transport === "tcp") {
    const { host } = remote;
    const list = access.keepsOut(host);
    if (list !== undefined) return `${host} is kept out by ${list} of ${name}`;
  }
  return enabled ? undefined : `the service ${name} is not enabled`;
}

function listed<S extends Guarded>(
  table: GuardedTable<S>,
  { remote, now }: Asking,
): Uint8Array {
  return keptOutOfAll(table, remote) === undefined
    ? table.listing.textFor(remote, now)
    : helpText([]);
}

/** The part of a service that its line in the answer to HELP is made of. */
export interface Listed extends Guarded {
  readonly listed: boolean;
}

/** The answer to HELP: the listed services that a client may use now. */
export class Listing {
  readonly #services: readonly Listed[];
  /** Whether all clients get the same answer at all times. */
  readonly #isUniform: boolean;
  /** The uniform answer, made at the first HELP. */
  #uniform: Uint8Array | undefined;

  constructor(services: readonly Listed[]) {
    this.#services = services.filter(({ listed, enabled }) =>
      listed && enabled
    );
    this.#isUniform = this.#services.every(({ access, hours }) =>
      access.admitsAll && hours === undefined
    );
  }

  /** @param now milliseconds since 1970 */
  textFor(remote: Endpoint, now: number): Uint8Array {
    if (this.#isUniform) return this.#uniform ??= textOf(this.#services);
    return textOf(
      this.#services.filter((service) =>
        keptOutOf(service, remote) === undefined &&
        service.hours?.include(now) !== false
      ),
    );
  }
}

function textOf(services: readonly Listed[]): Uint8Array {
  return helpText(services.map(({ name }) => name));
}
