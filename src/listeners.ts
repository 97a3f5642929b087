import { setTimeout as sleep } from "node:timers/promises";
import { Binder, type BinderOptions } from "./bind/bind.ts";
import { type BoundListener, discardNew } from "./bind/systemd.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { Episode, type Log } from "./log.ts";
import { messageOf, stackOf, TcpmuxError } from "./errors.ts";
import type { Observer } from "./record.ts";
import type { ListenerSpec } from "./table/service.ts";
import type { Prepared } from "./table/table.ts";
import type { Conn, Listener } from "./transport/transport.ts";

/** Milliseconds before accepting is tried again after it has failed. */
const ACCEPT_PAUSE = 50;

/** A listener of a table that has been opened. */
export interface OpenListener {
  readonly spec: ListenerSpec;
  /** Its real address, as text. */
  readonly address: string;
  readonly listener: Listener;
}

export interface ListenersOptions extends BinderOptions {
  /** Told what records do not say. */
  readonly observer?: Observer | undefined;
  /** Whether this process has no other use for what systemd hands over to it. */
  readonly ownsHandedOver?: boolean | undefined;
}

type OnAccepted = (conn: Conn, listener: OpenListener) => void;

/** The listeners of a server, and the loops that accept from them. */
export class Listeners {
  /** By `keyOf` of `bind.ts`, which finds a listener again at a reload. */
  #open = new Map<string, OpenListener>();
  #endpoints: readonly Endpoint[] = [];
  #isClosed = false;
  /** The loops that accept from sockets of systemd's. */
  readonly #handedOver: Promise<void>[] = [];
  readonly #binder: Binder;
  readonly #log: Log;
  readonly #onAccepted: OnAccepted;
  readonly #observer: Observer | undefined;
  readonly #ownsHandedOver: boolean;

  constructor(options: ListenersOptions, onAccepted: OnAccepted) {
    this.#binder = new Binder(options);
    this.#log = options.log;
    this.#observer = options.observer;
    this.#ownsHandedOver = options.ownsHandedOver ?? false;
    this.#onAccepted = onAccepted;
  }

  /** Where the server listens, with the real ports. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** Those of one listener of the table in force. */
  endpointsOf(wanted: ListenerSpec): readonly Endpoint[] {
    return [...this.#open.values()]
      .filter(({ spec }) => spec === wanted)
      .map(({ listener }) => listener.endpoint);
  }

  /**
   * Opens the listeners that are new. They accept, and those that are not wanted
   * any more are closed, when this is committed. The others stay as they are.
   *
   * @throws {TcpmuxError} and then nothing has changed; code `closed` after
   * `close`, even where that was called meanwhile
   */
  async prepare(wanted: readonly ListenerSpec[]): Promise<Prepared> {
    const next = new Map<string, OpenListener>();
    const all: BoundListener[] = [];
    const undo = () => discardNew(all);
    try {
      for (const spec of wanted) {
        const bound = await this.#binder.bind(spec, this.#all(next));
        all.push(...bound);
        for (const { key, listener } of bound) {
          const address = formatEndpoint(listener.endpoint);
          const other = next.get(key)?.spec ?? spec;
          if (other !== spec && !areOne(other, spec)) throw twice(address);
          next.set(key, { spec: other, listener, address });
        }
      }
      if (this.#isClosed) {
        throw new TcpmuxError("closed", "the server is closed");
      }
    } catch (error) {
      undo();
      throw error;
    }
    return { commit: () => this.#commit(next, all), undo };
  }

  #commit(
    next: Map<string, OpenListener>,
    all: readonly BoundListener[],
  ): void {
    const old = this.#open;
    this.#open = next;
    this.#endpoints = [...next.values()].map(({ listener }) =>
      listener.endpoint
    );
    for (const [key, { listener, address }] of old) {
      if (next.get(key)?.listener === listener) continue;
      listener.close();
      this.#log("info", "no longer listening", { address });
    }
    for (const { key, isNew } of all) {
      if (!isNew) continue;
      const { spec, address } = next.get(key)!;
      this.#log("info", "listening", {
        address,
        tls: spec.endpoint?.tls,
        service: spec.protocol === "forward" ? spec.service.name : undefined,
      });
      const accepting = this.#acceptFrom(key, next.get(key)!);
      if (isHandedOver(spec)) this.#handedOver.push(accepting);
    }
    if (this.#ownsHandedOver) this.#binder.handedOver.warnOfOthers(next);
  }

  #all(next: ReadonlyMap<string, OpenListener>): Map<string, OpenListener> {
    return new Map([...this.#open, ...next]);
  }

  /** Resolves when the last of those has been accepted who have to be. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { listener } of this.#open.values()) listener.close();
    this.#open.clear();
    this.#endpoints = [];
    await Promise.all(this.#handedOver);
  }

  async #acceptFrom(
    key: string,
    opened: OpenListener,
  ): Promise<void> {
    const { listener, address } = opened;
    const failing = new Episode({
      began: (reason) =>
        this.#log("error", "cannot accept connections, retrying", {
          address,
          reason,
        }),
      over: () => this.#log("info", "accepting again", { address }),
    });
    for (;;) {
      let conn: Conn | null;
      try {
        conn = await listener.accept();
      } catch (error) {
        failing.happened(messageOf(error));
        this.#observer?.acceptFailed(systemCodeOf(error));
        await sleep(ACCEPT_PAUSE);
        continue;
      }
      if (conn === null) return failing.cancel();
      const open = this.#open.get(key) ?? // a reload may have changed it
        (isHandedOver(opened.spec) ? opened : undefined);
      try {
        if (open === undefined) this.#tooLate(conn);
        else this.#onAccepted(conn, open);
      } catch (error) {
        const stack = stackOf(error);
        this.#log("error", "internal error at a new connection", {
          address,
          stack,
        });
        conn.abort();
      }
    }
  }

  #tooLate(conn: Conn): void {
    const client = formatEndpoint(conn.remote);
    this.#log("debug", "a client connected while its listener was closed", {
      client,
    });
    conn.abort();
  }
}

function systemCodeOf(error: unknown): string {
  if (!(error instanceof TcpmuxError)) return "internal";
  return error.errno ?? error.code;
}

/**
 * Whether two listeners of a table at one address are one: TCPMUX at both, by the
 * same steps before it.
 */
function areOne(one: ListenerSpec, other: ListenerSpec): boolean {
  const [a, b] = [one.endpoint, other.endpoint];
  return one.protocol === "tcpmux" && other.protocol === "tcpmux" &&
    a?.proxyHeader === b?.proxyHeader && a?.tls === b?.tls;
}

/**
 * Whether another server can accept from the socket as well: it has nobody whom
 * this one has accepted, so this one must serve them.
 */
export function isHandedOver({ endpoint }: ListenerSpec): boolean {
  return endpoint?.transport === "systemd";
}

function twice(address: string): TcpmuxError {
  const what = `cannot listen on ${address}`;
  const why = "two listeners of the table use it (give one another port)";
  return new TcpmuxError("address_in_use", `${what}: ${why}`, { address });
}
