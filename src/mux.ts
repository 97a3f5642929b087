import { LinkedList, type ListNode } from "./linked_list.ts";
import { Listeners } from "./listeners.ts";
import type { Endpoint } from "./endpoint.ts";
import { fileLimit, fittedTo } from "./file_limit.ts";
import { type Log, steady } from "./log.ts";
import { Passes } from "./passes.ts";
import { Crowding } from "./policy/crowding.ts";
import type { ServerLimits } from "./policy/limit_settings.ts";
import { Limits } from "./policy/limits.ts";
import type { Reception } from "./reception.ts";
import type { ConnectionRecord } from "./record.ts";
import { Recorder } from "./recorder.ts";
import { checkRequirements } from "./table/requirements.ts";
import { identitiesOf, type Identity } from "./services/exec/identity.ts";
import { Session } from "./session.ts";
import type { ListenerSpec } from "./table/listener.ts";
import { checkLoops } from "./table/loops.ts";
import type { Service } from "./table/service.ts";
import type { Table } from "./table/table.ts";
import type { Conn, Transport } from "./transport/transport.ts";

/** What a {@linkcode Mux} is made with; nothing of it is global. */
export interface MuxOptions {
  readonly transport: Transport;
  readonly log: Log;
  readonly getEnv: (name: string) => string | undefined;
  /** Called once for every connection, when it has ended. */
  readonly onRecord?: (record: ConnectionRecord) => void;
}

/** A table in force, with all that was found out about it beforehand. */
interface Prepared {
  readonly table: Table;
  readonly identities: Map<Service, Identity>;
  readonly limits: ServerLimits;
  /** What those are served with who come through a door. */
  readonly receptions: Map<ListenerSpec, Reception>;
}

/** What a server is doing right now. */
export interface MuxState {
  readonly addresses: readonly Endpoint[];
  readonly sessions: number;
  readonly services: number;
  readonly draining: boolean;
}

/** A running TCPMUX server. */
export class Mux {
  /** Resolves when the server has stopped and the last session has ended. */
  readonly closed: Promise<void>;
  #options: MuxOptions;
  #doors: Listeners;
  /** The number of the last connection; the first has 1. */
  #last = 0;
  #recorder: Recorder;
  #limits = new Limits();
  #crowding: Crowding;
  #passes: Passes;
  #sessions = new LinkedList<Session>();
  #draining = false;
  #current!: Prepared;
  #resolveClosed!: () => void;
  #reloading: Promise<void> = Promise.resolve();

  private constructor(options: MuxOptions) {
    const log = steady(options.log);
    this.#options = { ...options, log };
    this.#recorder = new Recorder(log, options.onRecord);
    this.#doors = new Listeners(
      options.transport,
      log,
      (conn, door, listener) => this.#accept(conn, door, listener),
    );
    this.#crowding = new Crowding(
      () => this.#limits.isRoomy(this.#current.limits),
      log,
    );
    this.#passes = new Passes(() => this.addresses);
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
  }

  /**
   * Starts a server.
   *
   * @param file the table's name, for errors
   * @throws {TableError} for a table that cannot be served here
   * @throws {TcpmuxError} for an address that cannot be listened on
   */
  static async start(
    table: Table,
    options: MuxOptions,
    file?: string,
  ): Promise<Mux> {
    const mux = new Mux(options);
    await mux.reload(table, file);
    return mux;
  }

  /** Where it listens, with the real ports, in the order of the doors. */
  get addresses(): readonly Endpoint[] {
    return this.#doors.endpoints;
  }

  /**
   * Puts another table in force, all of it or none. Sessions that are under
   * way keep the service that they have; listeners that stay are not touched.
   * One that comes during another waits for it.
   *
   * @throws as {@linkcode Mux.start} does, or with code `closed` when the
   * server has stopped; and then nothing has changed
   */
  reload(table: Table, file?: string): Promise<void> {
    const turn = this.#reloading.then(async () => {
      const prepared = await this.#prepare(table, file);
      await this.#doors.set(table.listeners, () => this.#current = prepared);
    });
    this.#reloading = turn.catch(() => {});
    return turn;
  }

  /**
   * Stops: accepts no more, refuses those who have not named a service yet,
   * and gives live sessions time to end. Calling it again may shorten that.
   *
   * @param drainTimeout milliseconds; by default the table's
   */
  async close(drainTimeout?: number): Promise<void> {
    const limit = drainTimeout ?? this.#current.table.server.drainTimeout;
    this.#doors.close();
    this.#crowding.end();
    this.#draining = true;
    for (const session of this.#sessions.all()) session.drain();
    const timer = setTimeout(() => this.#stopSessions(), limit);
    this.#closeIfEmpty();
    await this.closed;
    clearTimeout(timer);
  }

  #closeIfEmpty(): void {
    if (this.#draining && this.#sessions.size === 0) this.#resolveClosed();
  }

  state(): MuxState {
    return {
      addresses: this.addresses,
      sessions: this.#sessions.size,
      services: this.#current.table.services.length,
      draining: this.#draining,
    };
  }

  async #prepare(table: Table, file?: string): Promise<Prepared> {
    const { transport, log } = this.#options;
    checkRequirements(table, transport, file);
    checkLoops(table, file);
    const identities = await identitiesOf(table, transport, file);
    const files = await fileLimit();
    const limits = files === undefined
      ? table.server.limits
      : fittedTo(table, files, log);
    return { table, identities, limits, receptions: new Map() };
  }

  #accept(conn: Conn, door: ListenerSpec, listener: string): void {
    const slot = this.#limits.arrive(conn.remote, this.#current.limits);
    this.#crowding.look(slot.refusal);
    const reception = this.#receptionAt(door, listener);
    const session = new Session(++this.#last, conn, reception, slot);
    this.#sessions.add(session);
    session.start();
  }

  #receptionAt(door: ListenerSpec, listener: string): Reception {
    const { table, identities, receptions } = this.#current;
    const known = receptions.get(door);
    if (known !== undefined) return known;
    const { log, transport, getEnv } = this.#options;
    const reception = {
      table,
      identities,
      door,
      listener,
      passes: this.#passes,
      log,
      transport,
      getEnv,
      ended: this.#ended,
    };
    receptions.set(door, reception);
    return reception;
  }

  #ended = (session: ListNode, record: ConnectionRecord): void => {
    this.#sessions.remove(session);
    this.#closeIfEmpty();
    this.#recorder.take(record);
  };

  #stopSessions(): void {
    for (const session of this.#sessions.all()) {
      session.stop("aborted", "the server has stopped");
    }
  }
}
