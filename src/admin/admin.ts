/** The admin listener: metrics, health, and a page, for those who look. */
import { type Endpoint, formatEndpoint, isLoopback } from "../endpoint.ts";
import type { Log } from "../log.ts";
import type { Recorded } from "../record.ts";
import type { Status } from "../status/status.ts";
import type { Prepared, Table } from "../table/table.ts";
import type { Transport } from "../transport/transport.ts";
import { Events } from "./events.ts";
import { AdminListener } from "./http.ts";
import { Metrics } from "./metrics.ts";
import { type Page, readPage, Site } from "./site.ts";
import { liveOf, Tally } from "./tally.ts";
import { View } from "./view.ts";

/** What the admin listener knows of the server. */
export interface AdminOptions {
  readonly transport: Transport;
  readonly log: Log;
  readonly status: () => Status;
  /** The sessions under way. */
  readonly sessions: () => Iterable<Recorded>;
}

/** Counts from its making on, and listens where the table in force says. */
export class Admin {
  readonly #options: AdminOptions;
  /** Counts what is told to it. */
  readonly tally = new Tally();
  readonly #events: Events;
  readonly #site: Site;
  #listener: AdminListener | undefined;
  /** Where it listens, as the table has it. */
  #place: string | undefined;
  #hosts: readonly string[] = [];
  #isServing = false;

  private constructor(options: AdminOptions, page: Page) {
    const { status, sessions } = options;
    const { tally } = this;
    this.#options = options;
    this.#events = new Events(new View({ status, sessions, tally }));
    this.#site = new Site({
      page,
      status,
      tally,
      events: this.#events,
      metrics: new Metrics(() => ({
        status: status(),
        live: liveOf(sessions()),
        tally,
      })),
      isServing: () => this.#isServing,
      hosts: () => this.#hosts,
    });
  }

  static async create(options: AdminOptions): Promise<Admin> {
    return new Admin(options, await readPage());
  }

  /**
   * Takes the address that the next table names, if it is another one.
   *
   * @throws {TcpmuxError} where it cannot be had
   */
  async prepare({ server, services }: Table): Promise<Prepared> {
    const { admin, adminHosts } = server;
    const place = admin && formatEndpoint(admin);
    const last = this.#listener;
    const isSame = place === this.#place && last?.isReachable !== false;
    const next = isSame ? last : admin && await this.#open(admin);
    return {
      commit: () => {
        this.tally.inForce(services, this.#options.status().listeners);
        this.#isServing = true;
        this.#hosts = adminHosts.map((name) => name.toLowerCase());
        this.#place = place;
        this.#listener = next;
        if (isSame) return;
        last?.close();
        if (next !== undefined) this.#note(next.endpoint);
      },
      undo: () => {
        if (!isSame) next?.close();
      },
    };
  }

  #open(endpoint: Endpoint): Promise<AdminListener> {
    return AdminListener.open(endpoint, this.#site.respond, this.#options);
  }

  #note(endpoint: Endpoint): void {
    const { log } = this.#options;
    log("info", "admin listener", { address: formatEndpoint(endpoint) });
    if (endpoint.transport === "unix" || isLoopback(endpoint.host)) return;
    log("warn", "the admin listener has no password", {
      advice: "who reaches its address sees who uses what: keep others off " +
        "it by a firewall, or let it listen on 127.0.0.1",
    });
  }

  /** Something has happened that those who watch should see now. */
  show(): void {
    this.#events.send();
  }

  close(): void {
    this.#events.close();
    this.#listener?.close();
  }
}
