import type { Endpoint, Peer, PeerCertificate } from "../endpoint.ts";
import { HELP, helpText } from "../wire.ts";
import { type Access, NOBODY } from "./access.ts";
import { ANY_CERTIFICATE, type CertificateList } from "./certificates.ts";
import type { Hours } from "./hours.ts";
import { type Refusal, refusal } from "./refusal.ts";

/** The part of a service that says who may use it, and when. */
export interface Guarded {
  readonly name: string;
  readonly enabled: boolean;
  readonly access: Access;
  readonly certificates: CertificateList;
  readonly hours: Hours | undefined;
}

/** The part of a service table that decisions need. */
export interface GuardedTable<S extends Guarded> {
  readonly server: {
    readonly help: boolean;
    readonly access: Access;
    readonly certificates: CertificateList;
  };
  readonly listing: Listing;
  /** The rules of one of the services; undefined if none has some. */
  readonly someCertificates: CertificateList | undefined;
  /** The hours of one of the services; undefined if none has hours. */
  readonly someHours: Hours | undefined;
  /** By names and aliases, in upper case. */
  readonly byName: ReadonlyMap<string, S>;
}

export type Decision<S extends Guarded> =
  | NotServed
  | { readonly kind: "serve"; readonly service: S };

/** What a client gets that gets no service. */
export type NotServed =
  | Refusal
  | { readonly kind: "help"; readonly text: Uint8Array };

/** Who asks, and when. */
export interface Asking {
  readonly peer: Pick<Peer, "remote" | "tls">;
  /** Milliseconds since 1970. */
  readonly now: number;
  /**
   * The names, in upper case, of services that an administrator has switched
   * off: each is as one that the table does not enable.
   */
  readonly switchedOff?: SwitchedOff;
}

export type SwitchedOff = ReadonlySet<string>;

/**
 * One text for services that do not exist and for those that the client may
 * not use: the reply does not tell which services exist.
 */
const NOT_AVAILABLE = "Service not available";

/**
 * Decides what a client gets, before any `+`.
 *
 * @param asked the name that the client asks for, or the service that its
 * listener has chosen
 */
export function decide<S extends Guarded>(
  table: GuardedTable<S>,
  asked: string | S,
  asking: Asking,
): Decision<S> {
  const { peer, now, switchedOff } = asking;
  const name = typeof asked === "string" ? asked.toUpperCase() : undefined;
  if (name === HELP) {
    return table.server.help
      ? { kind: "help", text: listed(table, asking) }
      : refusal("denied", "HELP is switched off", NOT_AVAILABLE);
  }
  const service = typeof asked === "string" ? table.byName.get(name!) : asked;
  // The checks run for an unknown name too, so that its refusal takes as long
  // as that of a service that the client may not use.
  const guarded: Guarded = service ?? NO_SERVICE;
  // Looking at the clock is slow. If any service of the table has hours, every
  // refusal looks at a clock once: its time does not tell what exists.
  const isOpenNow = guarded.hours?.include(now) ?? true;
  const { server } = table;
  const isForAll = server.access.admitsAll && guarded.access.admitsAll &&
    server.certificates.admitsAll && guarded.certificates.admitsAll &&
    guarded.enabled && !switchedOff?.size;
  const reason = isForAll
    ? undefined
    : keptOutOfAll(table, peer) ?? keptOutOf(guarded, peer, switchedOff);
  if (service !== undefined && reason === undefined && isOpenNow) {
    return { kind: "serve", service };
  }
  if (guarded.hours === undefined) table.someHours?.include(now);
  // A certificate is looked at as well, so that no refusal comes sooner.
  if (guarded.certificates.admitsAll) {
    table.someCertificates?.admits(peer.tls?.certificate);
  }
  return service === undefined
    ? refusal(
      "unknown",
      `no service is called ${JSON.stringify(asked)}`,
      NOT_AVAILABLE,
    )
    : refusal(
      reason === undefined ? "closed_hours" : "denied",
      reason ?? `the service ${service.name} is outside its hours`,
      NOT_AVAILABLE,
    );
}

/** A service that nobody may use, checked in place of one that is missing. */
const NO_SERVICE: Guarded = {
  name: "",
  enabled: true,
  access: NOBODY,
  certificates: ANY_CERTIFICATE,
  hours: undefined,
};

/**
 * The clients of a Unix socket have no address: the permissions of its file
 * say who may connect, and neither the server's nor a service's lists do.
 */
function keptOutOfAll<S extends Guarded>(
  { server }: GuardedTable<S>,
  { remote, tls }: Asking["peer"],
): string | undefined {
  const list = listAgainst(server.access, remote);
  if (list !== undefined) return `${keptOutBy(list, remote)} server.${list}`;
  const { certificates } = server;
  return certificates.admitsAll || certificates.admits(tls?.certificate)
    ? undefined
    : `${unnamed(tls?.certificate)} server.allow_certificate`;
}

function listAgainst(
  access: Access,
  remote: Endpoint,
): "allow" | "deny" | undefined {
  return remote.transport === "tcp" ? access.keepsOut(remote.host) : undefined;
}

/** Why a client may not use a service at any hour, for the log. */
function keptOutOf(
  { name, enabled, access, certificates }: Guarded,
  { remote, tls }: Asking["peer"],
  switchedOff?: SwitchedOff,
): string | undefined {
  const isNamed = certificates.admitsAll ||
    certificates.admits(tls?.certificate);
  const list = listAgainst(access, remote);
  if (list !== undefined) {
    return `${keptOutBy(list, remote)} ${list} of ${name}`;
  }
  if (!isNamed) {
    return `${unnamed(tls?.certificate)} allow_certificate of ${name}`;
  }
  if (!enabled) return `the service ${name} is not enabled`;
  return switchedOff?.has(name.toUpperCase())
    ? `the service ${name} is switched off`
    : undefined;
}

function keptOutBy(list: "allow" | "deny", remote: Endpoint): string {
  const who = remote.transport === "tcp" ? remote.host : "the client";
  return `${who} ${list === "deny" ? "is in" : "is not in"}`;
}

function unnamed(certificate: PeerCertificate | undefined): string {
  return certificate === undefined
    ? "the client has no certificate, which it needs for"
    : "the client's certificate has none of the names in";
}

function listed<S extends Guarded>(
  table: GuardedTable<S>,
  asking: Asking,
): Uint8Array {
  return keptOutOfAll(table, asking.peer) === undefined
    ? table.listing.textFor(asking)
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
    this.#isUniform = this.#services.every(
      ({ access, certificates, hours }) =>
        access.admitsAll && certificates.admitsAll && hours === undefined,
    );
  }

  textFor({ peer, now, switchedOff }: Asking): Uint8Array {
    if (this.#isUniform && !switchedOff?.size) {
      return this.#uniform ??= textOf(this.#services);
    }
    return textOf(
      this.#services.filter((service) =>
        keptOutOf(service, peer, switchedOff) === undefined &&
        service.hours?.include(now) !== false
      ),
    );
  }
}

function textOf(services: readonly Listed[]): Uint8Array {
  return helpText(services.map(({ name }) => name));
}
