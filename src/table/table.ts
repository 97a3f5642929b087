/** A service table, and what is checked of it as a whole before it is served. */
import type { Endpoint } from "../endpoint.ts";
import type { LogFormat, LogLevel, LogTo } from "../log.ts";
import type { ListenAddress } from "../parse_endpoint.ts";
import type { Access } from "../policy/access.ts";
import type { CertificateList } from "../policy/certificates.ts";
import { Listing } from "../policy/decide.ts";
import type { Hours } from "../policy/hours.ts";
import type { ServerLimits } from "../policy/limit_settings.ts";
import type { Transport } from "../transport/transport.ts";
import { addLoopProblems } from "./loops.ts";
import { type Located, Problems } from "./problem.ts";
import { addStepProblems } from "./steps/problems.ts";
import {
  type ListenerSpec,
  placeOf,
  type Service,
  upstreamPath,
} from "./service.ts";
import { addFirstBytesProblems, type FirstBytes } from "./steps/first_bytes.ts";
import type { TlsSettings } from "./steps/server_tls.ts";

/** The `[server]` part of the table, every value of it resolved. */
export interface ServerSettings {
  /** The addresses to listen on; undefined if the table has no `listen`. */
  readonly listen: readonly ListenAddress[] | undefined;
  /** Who the server becomes when all is bound; empty for nobody else. */
  readonly user: string;
  readonly group: string;
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
  /** Which of them, by their certificates. */
  readonly certificates: CertificateList;
  /** The proxies whose word on the addresses of clients is taken. */
  readonly trustedProxies: Access;
  readonly limits: ServerLimits;
  /** The time zone of hours; undefined for the system's own. */
  readonly timeZone: string | undefined;
  /** Whether a change of the table's files is seen. */
  readonly watch: boolean;
  readonly log: LogSettings;
  /** Undefined where no listener can speak TLS. */
  readonly tls: TlsSettings | undefined;
  /** What clients send first that name a service by it; undefined for none. */
  readonly firstBytes: readonly FirstBytes[] | undefined;
  /** Where the admin listener is; undefined for none. */
  readonly admin: Endpoint | undefined;
  /** Names under which that may be asked. */
  readonly adminHosts: readonly string[];
  /** The path of the control socket; false for none, undefined by default. */
  readonly control: string | false | undefined;
}

export interface LogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly to: LogTo;
  /** Undefined for what is usual for where the log goes. */
  readonly syslogFormat: "rfc5424" | "rfc3164" | undefined;
}

/** What has been made ready for a table that is to come into force. */
export interface Prepared {
  /** The table is in force now. */
  commit(): void;
  /** The table is not coming into force: what is new is given back. */
  undo?(): void;
}

/** What is asked of a runtime. */
type Runtime = Pick<Transport, "name" | "abilities">;

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
  /** The `allow_certificate` of one of them; undefined if none has any. */
  readonly someCertificates: CertificateList | undefined;
  readonly listing: Listing;
  /** By names and aliases, in upper case. */
  readonly byName: ReadonlyMap<string, Service>;

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
    this.someCertificates = services.find(({ certificates }) =>
      !certificates.admitsAll
    )?.certificates;
    this.listing = new Listing(services);
    this.listeners = listeners;
    this.located = located;
    this.byName = new Map(
      services.flatMap((service) =>
        [service.name, ...service.aliases]
          .map((name) => [name.toUpperCase(), service])
      ),
    );
  }
}

function defaultListeners(
  listen: readonly ListenAddress[] | undefined,
): ListenerSpec[] {
  const endpoints = listen ?? [undefined];
  return endpoints.map((endpoint) => ({ protocol: "tcpmux", endpoint }));
}

/**
 * Checks that this runtime, with the permissions that it has, can serve a
 * table.
 *
 * @throws {TableError} that names each key for which something is missing
 */
export function checkRequirements(
  table: Table,
  { name, abilities }: Transport,
  file?: string,
): void {
  const problems = lastingProblems(table, { name, abilities }, file);
  const cure = name === "deno"
    ? "Deno was started without that permission (start it with deno run -A)"
    : `not possible on the ${name} transport`;
  if (!abilities.unix && table.server.admin?.transport === "unix") {
    problems.add(["server", "admin"], `needs Unix sockets: ${cure}`);
  }
  if (table.server.control && !abilities.unix) {
    problems.add(["server", "control"], `needs Unix sockets: ${cure}`);
  }
  for (const listener of table.listeners) {
    if (abilities.unix || listener.endpoint?.transport !== "unix") continue;
    problems.add(
      [...placeOf(listener), "listen"],
      `needs Unix sockets: ${cure}`,
    );
  }
  for (const service of table.services.filter(({ enabled }) => enabled)) {
    const path = upstreamPath(service, table.listeners);
    if (service.kind === "exec" && !abilities.programs) {
      problems.add(path, `needs to start programs: ${cure}`);
    }
    if (!abilities.unix && upstreamsOf(service).some(isUnix)) {
      problems.add(path, `needs Unix sockets: ${cure}`);
    }
  }
  problems.throwIfAny();
}

/**
 * Checks only what no permission changes: `tcpmux check` runs with other
 * permissions than the server.
 *
 * @throws {TableError} as {@linkcode checkRequirements} does
 */
export function checkRuntime(
  table: Table,
  transport: Transport,
  file?: string,
): void {
  lastingProblems(table, transport, file).throwIfAny();
}

/** The problems that no permission changes. */
function lastingProblems(
  table: Table,
  transport: Runtime,
  file: string | undefined,
): Problems {
  const problems = new Problems(file, table.located);
  addSocketProblems(table, transport, problems);
  addStepProblems(table, problems);
  addFirstBytesProblems(table, problems);
  addLoopProblems(table, problems);
  return problems;
}

function addSocketProblems(
  table: Table,
  { name, abilities }: Runtime,
  problems: Problems,
): void {
  if (abilities.socketStdio) return;
  const who = name === "deno" ? "Deno cannot" : `the ${name} transport cannot`;
  for (const service of table.services) {
    if (!service.enabled || service.kind !== "exec") continue;
    if (service.stdio !== "socket") continue;
    problems.add(
      ["services", service.name, "stdio"],
      `${who} pass a socket to a program: serve this table on Bun or Node, ` +
        "or remove the key (the program then gets pipes)",
    );
  }
}

/** Where a service connects to; nowhere for most kinds. */
export function upstreamsOf(service: Service): readonly Endpoint[] {
  if (service.kind === "connect") return service.upstreams;
  return service.kind === "tcpmux" ? [service.upstream] : [];
}

function isUnix(endpoint: Endpoint): boolean {
  return endpoint.transport === "unix";
}
