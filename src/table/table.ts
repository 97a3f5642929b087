import type { Endpoint } from "../endpoint.ts";
import type { Access } from "../policy/access.ts";
import type { Hours } from "../policy/hours.ts";
import type { ServerLimits } from "../policy/limit_settings.ts";
import { Listing } from "../policy/listing.ts";
import type { LogLevel } from "../log.ts";
import type { ListenerSpec } from "./listener.ts";
import type { Located } from "./locate.ts";
import type { Service } from "./service.ts";

/** The `[server]` part of the table, every value of it resolved. */
export interface ServerSettings {
  /** Where to listen; undefined where the table does not say. */
  readonly listen: readonly Endpoint[] | undefined;
  readonly help: boolean;
  /** Milliseconds, like all times here; 0 for no limit. */
  readonly handshakeTimeout: number;
  readonly connectTimeout: number;
  readonly idleTimeout: number;
  readonly drainTimeout: number;
  readonly maxDuration: number;
  /** Who may use anything here. */
  readonly access: Access;
  readonly limits: ServerLimits;
  /** That hours are in; undefined for the system's own. */
  readonly timeZone: string | undefined;
  readonly log: LogSettings;
}

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: "text" | "json";
}

/** A whole service table. Never changed: a reload makes a new one. */
export class Table {
  readonly server: ServerSettings;
  /** In the order of the table. */
  readonly services: readonly Service[];
  /** Where it is served; no two of them at the same address. */
  readonly listeners: readonly ListenerSpec[];
  /** Where its keys stand in its file, for who finds fault with it later. */
  readonly located: Located | undefined;
  /** Of one of the services; undefined where none has any. */
  readonly someHours: Hours | undefined;
  readonly listing: Listing;
  #byName = new Map<string, Service>();

  /** @param listeners by default those of `listen`, where clients name a service */
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
