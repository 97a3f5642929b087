import { type Endpoint, formatEndpoint, UNNAMED } from "./endpoint.ts";
import { FullnessLog, limitsHere } from "./policy/open_files.ts";
import { LinkedList, type ListNode } from "./linked_list.ts";
import type { ListenerContext } from "./listener_context.ts";
import {
  isHandedOver,
  Listeners,
  type ListenersOptions,
  type OpenListener,
} from "./listeners.ts";
import type { ServerLimits } from "./policy/limit_settings.ts";
import { Limits } from "./policy/limits.ts";
import { warnOfZone } from "./policy/hours.ts";
import { SharedSourceLog } from "./policy/penalties.ts";
import {
  type ConnectionRecord,
  type Ended,
  type Recorded,
  Recorder,
  steady,
} from "./record.ts";
import { identitiesOf, type Identity } from "./services/exec/identity.ts";
import { LeaverWatch } from "./services/exec/orphans.ts";
import { Session } from "./session.ts";
import { checkRequirements, type Table } from "./table/table.ts";
import type { ListenerSpec, Service } from "./table/service.ts";
import type { TlsInForce } from "./tls/in_force.ts";
import { proveTls, tlsOf, upstreamTlsOf } from "./tls/load.ts";
import type { Conn } from "./transport/transport.ts";

/** What a {@linkcode MuxServer} works with; none of it is global. */
export interface MuxServerOptions extends ListenersOptions {
  /** Called when all is bound, before a client is accepted: to give up root. */
  readonly onBound?: (() => void) | undefined;
  /** Called once for every connection, when it has ended. */
  readonly onRecord?: (record: ConnectionRecord) => void;
  /** Called with the number of live sessions when one has begun. */
  readonly onSessions?: (count: number) => void;
}

type Accepting = Omit<OpenListener, "listener">;

/** A table in force, with what `#prepare` has found out about it. */
interface TableInForce {
  readonly table: Table;
  readonly identities: Map<Service, Identity>;
  readonly limits: ServerLimits;
  readonly tls: TlsInForce | undefined;
  readonly upstreamTls: ListenerContext["upstreamTls"];
  /** Each is made when the first client of its listener comes. */
  readonly contexts: Map<Accepting, ListenerContext>;
}

/** What a server is doing. */
export interface ServerState {
  readonly addresses: readonly Endpoint[];
  readonly sessions: number;
  readonly services: number;
  readonly draining: boolean;
  readonly certificates: TlsInForce["certificates"];
}

/** A running TCPMUX server. */
export class MuxServer {
  /** Resolves when the server has stopped and the last session has ended. */
  readonly closed: Promise<void>;
  readonly #options: MuxServerOptions;
  readonly #listeners: Listeners;
  readonly #recorder: Recorder;
  readonly #limits: Limits;
  readonly #fullness: FullnessLog;
  readonly #leavers: LeaverWatch;
  readonly #sessions = new LinkedList<Session>();
  /** The names of services, in upper case; a reload changes none of it. */
  readonly #switchedOff = new Set<string>();
  /** The number of the latest connection; the first has 1. */
  #lastId = 0;
  #isDraining = false;
  #inForce!: TableInForce;
  #resolveClosed!: () => void;
  #reloading: Promise<void> = Promise.resolve();

  private constructor(options: MuxServerOptions) {
    const log = steady(options.log);
    this.#options = { ...options, log };
    this.#recorder = new Recorder(log, options.onRecord);
    this.#listeners = new Listeners(this.#options, this.#accept);
    this.#leavers = new LeaverWatch(log, options.transport.timers);
    const shared = new SharedSourceLog(log);
    this.#limits = new Limits({ onSharedSource: (at) => shared.note(at) });
    const isRoomy = () => this.#limits.isRoomy(this.#inForce.limits);
    this.#fullness = new FullnessLog(isRoomy, log);
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
  }

  /**
   * @param file the table's name, for errors
   * @throws {TableError} for a table that cannot be served here
   * @throws {TcpmuxError} for an address that cannot be listened on
   */
  static async start(
    table: Table,
    options: MuxServerOptions,
    file?: string,
  ): Promise<MuxServer> {
    const server = new MuxServer(options);
    if (options.onBound === undefined) await server.reload(table, file);
    else await server.#startAs(options.onBound, table, file);
    return server;
  }

  async #startAs(onBound: () => void, table: Table, file?: string) {
    const listeners = await this.#listeners.prepare(table.listeners);
    try {
      onBound();
      this.#inForce = await this.#prepare(table, file);
      this.#inForce.tls?.watch(this.#options.log);
    } catch (error) {
      listeners.undo?.();
      throw error;
    }
    listeners.commit();
  }

  /** Where it listens, with the real ports, in the order of the table. */
  get addresses(): readonly Endpoint[] {
    return this.#listeners.endpoints;
  }

  /** Those of one listener of the table in force: a host name has several. */
  addressesOf(listener: ListenerSpec): readonly Endpoint[] {
    return this.#listeners.endpointsOf(listener);
  }

  get state(): ServerState {
    return {
      addresses: this.addresses,
      sessions: this.#sessions.size,
      services: this.#inForce.table.services.length,
      draining: this.#isDraining,
      certificates: this.#inForce.tls?.certificates ?? [],
    };
  }

  /** The sessions under way. */
  get sessions(): Iterable<Recorded> {
    return this.#sessions.all();
  }

  /** Ends at once the sessions that match; gives how many. */
  endSessions(matches: (session: Recorded) => boolean, reason: string): number {
    const ended = [...this.#sessions.all()].filter(matches);
    for (const session of ended) session.stop("killed", reason);
    return ended.length;
  }

  /**
   * Switches a service, by its name or an alias, off or on for all who have not been
   * served yet: one that is off is as one that the table does not enable.
   * @returns the service; undefined where the table in force has none
   */
  switchService(name: string, to: "on" | "off"): Service | undefined {
    const service = this.#inForce.table.byName.get(name.toUpperCase());
    const key = service?.name.toUpperCase();
    if (key !== undefined && to === "off") this.#switchedOff.add(key);
    if (key !== undefined && to === "on") this.#switchedOff.delete(key);
    return service;
  }

  isSwitchedOff({ name }: Service): boolean {
    return this.#switchedOff.has(name.toUpperCase());
  }

  /**
   * Replaces the table, completely or not at all. Live sessions keep their
   * service, and listeners that are in both tables stay open. A reload waits for
   * one that is under way.
   *
   * @throws as {@linkcode MuxServer.start} does, or with code `closed` when
   * the server has stopped; and then nothing has changed
   */
  reload(table: Table, file?: string): Promise<void> {
    const turn = this.#reloading.then(async () => {
      const next = await this.#prepare(table, file);
      const listeners = await this.#listeners.prepare(table.listeners);
      this.#inForce?.tls?.stop(next.tls);
      this.#inForce = next;
      next.tls?.watch(this.#options.log);
      listeners.commit();
    });
    this.#reloading = turn.catch(() => {});
    return turn;
  }

  async #prepare(table: Table, file?: string): Promise<TableInForce> {
    const { transport, log, getEnv } = this.#options;
    checkRequirements(table, transport, file);
    const identities = await identitiesOf(table, transport, file);
    warnOfZone(table.services.map(({ hours }) => hours), getEnv("TZ"), log);
    const limits = await limitsHere(table, log);
    const tls = await tlsOf(table, getEnv, file);
    await proveTls(table, tls, this.#inForce?.tls, transport);
    const upstreamTls = await upstreamTlsOf(table, getEnv, log, file);
    return { table, identities, limits, tls, upstreamTls, contexts: new Map() };
  }

  /** Serves a connection that another program has accepted for it. */
  adopt(conn: Conn): void {
    const spec = { protocol: "tcpmux", endpoint: conn.local } as const;
    this.#accept(conn, { spec, address: formatEndpoint(conn.local) });
  }

  #accept = (conn: Conn, at: Accepting): void => {
    const context = this.#inForce.contexts.get(at) ?? this.#addContext(at);
    // A proxy is no source of limits: like a Unix socket, it has many clients.
    const source = context.announced === undefined ? conn.remote : UNNAMED;
    const slot = this.#limits.arrive(source, this.#inForce.limits);
    if (slot.refusal !== undefined) this.#fullness.note(slot.refusal);
    const session = new Session(++this.#lastId, conn, context, slot);
    this.#sessions.add(session);
    session.run();
    this.#options.onSessions?.(this.#sessions.size);
  };

  #addContext(at: Accepting): ListenerContext {
    const { spec, address: listener } = at;
    const { table, identities, contexts, tls, upstreamTls } = this.#inForce;
    const { log, transport, getEnv, observer } = this.#options;
    const context: ListenerContext = {
      log,
      transport,
      getEnv,
      table,
      identities,
      spec,
      tls: spec.endpoint?.tls ? tls : undefined,
      upstreamTls,
      listener,
      announced: spec.endpoint?.proxyHeader ? this.#announced : undefined,
      ended: this.#ended,
      leavers: this.#leavers,
      observer,
      isStopping: () => this.#isDraining,
      switchedOff: this.#switchedOff,
    };
    contexts.set(at, context);
    return context;
  }

  #announced: ListenerContext["announced"] = (slot, { via, remote }) => {
    if (remote === via) return slot; // the proxy speaks for itself
    const next = this.#limits.announced(slot, remote, this.#inForce.limits);
    if (next.refusal !== undefined) this.#fullness.note(next.refusal);
    return next;
  };

  #ended = (session: ListNode & Recorded, ended: Ended): void => {
    this.#sessions.remove(session);
    if (this.#isDraining) this.#closeIfEmpty();
    this.#recorder.record(session, ended);
  };

  /**
   * Stops: accepts no more, refuses clients that have not named a service yet,
   * and gives live sessions time to end; who came by a socket of systemd's is
   * served, as the next server serves there. A second call may shorten it.
   *
   * @param drainTimeout milliseconds, 0 for at once; by default the table's
   */
  async close(drainTimeout?: number): Promise<void> {
    const limit = drainTimeout ?? this.#inForce.table.server.drainTimeout;
    const lastAccepted = this.#listeners.close();
    this.#fullness.stop();
    this.#inForce.tls?.stop();
    this.#isDraining = true;
    for (const one of this.#sessions.all()) {
      one.endSoon(isHandedOver(one.server.spec));
    }
    const { timers } = this.#options.transport;
    const timer = timers.after(limit, () => this.#stopSessions());
    await lastAccepted;
    if (limit === 0) this.#stopSessions();
    this.#closeIfEmpty();
    await this.closed;
    this.#leavers.stop();
    timer?.cancel();
  }

  #stopSessions(): void {
    const why = "the server has stopped";
    for (const session of this.#sessions.all()) session.stop("stopped", why);
  }

  #closeIfEmpty(): void {
    if (this.#sessions.size === 0) this.#resolveClosed();
  }
}
