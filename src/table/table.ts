import type { Endpoint } from "../endpoint.ts";
import type { Access } from "../policy/address.ts";
import type { Hours } from "../policy/hours.ts";
import type { ServerLimits } from "../policy/limit_settings.ts";
import { Listing } from "../policy/listing.ts";
import type { Door } from "./door.ts";
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

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = typeof LOG_LEVELS[number];

/** A whole service table. Never changed: a reload makes a new one. */
export class Table {
  readonly server: ServerSettings;
  /** In the order of the table. */
  readonly services: readonly Service[];
  /** Where it is served; no two of them at the same address. */
  readonly doors: readonly Door[];
  /** Where its keys stand in its file, for who finds fault with it later. */
  readonly located: Located | undefined;
  /** Of one of the services; undefined where none has any. */
  readonly someHours: Hours | undefined;
  readonly listing: Listing;
  #byName = new Map<string, Service>();

  /** @param doors by default those of `listen`, where clients name a service */
  constructor(
    server: ServerSettings,
    services: readonly Service[],
    doors: readonly Door[] = namedDoors(server.listen),
    located?: Located,
  ) {
    this.server = server;
    this.services = services;
    this.someHours = services.find(({ hours }) => hours !== undefined)?.hours;
    this.listing = new Listing(services);
    this.doors = doors;
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

function namedDoors(listen: readonly Endpoint[] | undefined): Door[] {
  const endpoints = listen ?? [undefined];
  return endpoints.map((endpoint) => ({ manner: "named", endpoint }));
}
