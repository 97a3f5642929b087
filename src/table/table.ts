import type { Endpoint } from "../endpoint.ts";
import type { Access } from "../policy/access.ts";
import { Listing } from "../policy/decide.ts";
import type { Hours } from "../policy/hours.ts";
import type { ServerLimits } from "../policy/limits.ts";
import type { LogLevel } from "../log.ts";
import type { ListenerSpec } from "./listener.ts";
import type { Located } from "./locate.ts";
import type { Service } from "./service.ts";

/** The `[server]` part of the table, every value of it resolved. */
export interface ServerSettings {
  /** The addresses to listen on; undefined if the table has no `listen`. */
  readonly listen: readonly Endpoint[] | undefined;
  readonly help: boolean;
  /** Milliseconds, as all times here; 0 for no limit, and drains at once. */
  readonly handshakeTimeout: number;
  readonly connectTimeout: number;
  readonly idleTimeout: number;
  /** The defaults of the services' own times. */
  readonly halfClosedTimeout: number;
  readonly stallTimeout: number;
  readonly drainTimeout: number;
  readonly maxDuration: number;
  /** Which clients may use any service. */
  readonly access: Access;
  readonly limits: ServerLimits;
  /** The time zone of hours; undefined for the system's own. */
  readonly timeZone: string | undefined;
  readonly log: LogSettings;
}

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

/** A service table. It never changes: a reload makes a new one. */
export class Table {
  readonly server: ServerSettings;
  /** In the order of the table. */
  readonly services: readonly Service[];
  /** Where the services are offered, each at an address of its own. */
  readonly listeners: readonly ListenerSpec[];
  /** The lines of its keys in its file, for problems that are found later. */
  readonly located: Located | undefined;
  /** The hours of one of the services; undefined if none has hours. */
  readonly someHours: Hours | undefined;
  readonly listing: Listing;
  #byName = new Map<string, Service>();

  /** @param listeners by default one for each address of `listen` */
  constructor(
    server: ServerSettings,
    services: readonly Service[],
    listeners: readonly ListenerSpec[] = defaultListeners(server.listen),
    located?: Located,
  ) {
    this.server = server;
    this.services = services;
    this.someHours = services.find(({ hours }) => hours !== undefined)?.hours;
    this.listing = new Listing(services);
    this.listeners = listeners;
    this.located = located;
    for (const service of services) {
      for (const name of [service.name, ...service.aliases]) {
        this.#byName.set(name.toUpperCase(), service);
      }
    }
  }

  /** The service of that name or alias, without regard to case. */
  find(name: string): Service | undefined {
    return this.#byName.get(name.toUpperCase());
  }
}

function defaultListeners(
  listen: readonly Endpoint[] | undefined,
): ListenerSpec[] {
  const endpoints = listen ?? [undefined];
  return endpoints.map((endpoint) => ({ protocol: "tcpmux", endpoint }));
}
