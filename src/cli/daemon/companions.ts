/** What stands beside the server of `tcpmux serve`. */
import { chownSync } from "node:fs";
import { resolve } from "node:path";
import manifest from "../../../package.json" with { type: "json" };
import type { Admin } from "../../admin/admin.ts";
import type { ControlSocket } from "../../control/control_socket.ts";
import { defaultPlaces, placeToServe } from "../../control/place.ts";
import { formatEndpoint } from "../../endpoint.ts";
import { messageOf } from "../../errors.ts";
import type { ConnectionRecord, Observer } from "../../record.ts";
import { StatusSource } from "../../status/status.ts";
import type { Prepared } from "../../table/table.ts";
import { getEnv } from "../../transport/permission.ts";
import type { Loaded, TableSource } from "../load.ts";
import type { Companion } from "./companion.ts";
import type { Daemon } from "./daemon.ts";
import type { Rights } from "./privileges.ts";

/** What is loaded for them is loaded only where it is asked for. */
export async function companionsOf(
  source: TableSource,
  daemon: Daemon,
): Promise<readonly Companion[]> {
  const status = new StatusCompanion(daemon);
  const all: Companion[] = [
    status,
    new AdminCompanion(daemon, status.source),
    new ControlCompanion(daemon, status.source),
    watchFor(source, daemon),
  ];
  const socket = getEnv("NOTIFY_SOCKET");
  if (socket !== undefined) {
    const { SystemdNotifier } = await import("./notifier.ts");
    all.push(new SystemdNotifier(daemon, socket, getEnv));
  }
  return all;
}

/** A watch on the table's files, made when a table first asks for it. */
function watchFor(source: TableSource, daemon: Daemon): Companion {
  let watch: Companion | undefined;
  return {
    prepare: async (next) => {
      if (next.table.server.watch && watch === undefined) {
        const { TableWatch } = await import("./table_watch.ts");
        watch = new TableWatch(source, daemon);
      }
      return await watch?.prepare?.(next);
    },
    reloaded: (error) => watch?.reloaded?.(error),
    draining: () => watch?.draining?.(),
    close: () => watch?.close?.(),
  };
}

/** Keeps the status of a daemon's server, for all that show it. */
class StatusCompanion implements Companion {
  readonly source: StatusSource;

  constructor(daemon: Daemon) {
    const { name } = daemon.transport;
    this.source = new StatusSource({
      version: manifest.version,
      runtime: [name, process.versions[name] ?? ""].join(" ").trim(),
      sessions: () => daemon.server.sessions,
      listeners: () => daemon.server.addresses.map(formatEndpoint),
      isDraining: () => daemon.server.state.draining,
      certificates: () => daemon.server.state.certificates,
      isSwitchedOff: (service) => daemon.server.isSwitchedOff(service),
    });
  }

  prepare(next: Loaded): Prepared {
    return { commit: () => this.source.inForce(next) };
  }

  reloaded(error: unknown): void {
    this.source.reloaded(error);
  }

  recorded(record: ConnectionRecord): void {
    this.source.recorded(record);
  }
}

/** The admin listener of a daemon, from the first table on that asks for it. */
class AdminCompanion implements Companion {
  readonly #daemon: Daemon;
  readonly #status: StatusSource;
  /** Counts for the admin listener from when there is one. */
  readonly observer: Observer = {
    acceptFailed: (code) => this.#admin?.tally.acceptFailed(code),
    upstreamAnswered: (service, upstream, time) =>
      this.#admin?.tally.upstreamAnswered(service, upstream, time),
    upstreamFailed: (service, upstream) =>
      this.#admin?.tally.upstreamFailed(service, upstream),
    programExited: (service, exit) =>
      this.#admin?.tally.programExited(service, exit),
  };
  #admin: Admin | undefined;

  constructor(daemon: Daemon, status: StatusSource) {
    this.#daemon = daemon;
    this.#status = status;
  }

  async prepare({ table }: Loaded): Promise<Prepared | undefined> {
    const isWanted = table.server.admin !== undefined;
    if (this.#admin === undefined && !isWanted) return undefined;
    const admin = this.#admin ?? await this.#load();
    const prepared = await admin.prepare(table);
    return {
      ...prepared,
      commit: () => {
        this.#admin = admin;
        prepared.commit();
      },
    };
  }

  async #load(): Promise<Admin> {
    // Only now: what no server needs that has no admin listener.
    const { Admin } = await import("../../admin/admin.ts");
    const { transport, log } = this.#daemon;
    return await Admin.create({
      transport,
      log,
      status: () => this.#status.status(),
      sessions: () => this.#daemon.server.sessions,
    });
  }

  recorded(record: ConnectionRecord): void {
    this.#admin?.tally.recorded(record);
  }

  reloaded(): void {
    this.#admin?.show();
  }

  close(): void {
    this.#admin?.close();
  }
}

/** The control socket of a daemon, at the place that its table says. */
class ControlCompanion implements Companion {
  readonly #daemon: Daemon;
  readonly #status: StatusSource;
  #socket: ControlSocket | undefined;
  /** What the next table will have. */
  #next: ControlSocket | undefined;
  #isReady = false;

  constructor(daemon: Daemon, status: StatusSource) {
    this.#daemon = daemon;
    this.#status = status;
  }

  async prepare({ table }: Loaded): Promise<Prepared> {
    const next = await this.#socketFor(table.server.control);
    this.#next = next;
    const last = this.#socket;
    const isNew = next !== last;
    return {
      commit: () => {
        this.#isReady = true;
        this.#socket = next;
        if (!isNew) return;
        last?.close();
        if (next === undefined) return;
        this.#daemon.log("info", "control socket", { path: next.path });
      },
      undo: () => {
        if (isNew) next?.close();
      },
    };
  }

  becoming({ uid, gid }: Rights): void {
    if (this.#next !== undefined) chownSync(this.#next.path, uid, gid);
  }

  /** @throws {TcpmuxError} where the table's own place cannot be had */
  async #socketFor(
    place: string | false | undefined,
  ): Promise<ControlSocket | undefined> {
    const { transport, log } = this.#daemon;
    const why = "none of its default folders can be written";
    if (place === false) return undefined;
    // With a place of its own, the server refuses the table for that.
    const path = !transport.abilities.unix
      ? undefined
      : place === undefined
      ? await placeToServe(getEnv)
      : resolve(place);
    const last = this.#socket?.isReachable ? this.#socket : undefined;
    // Its folder need not be this user's: root may have made the socket there.
    const isKept = last !== undefined && (path === last.path ||
      place === undefined && defaultPlaces(getEnv).includes(last.path));
    if (isKept) return last;
    if (path === undefined) {
      log("debug", "no control socket", { reason: why });
      return undefined;
    }
    try {
      return await this.#open(path);
    } catch (error) {
      if (place !== undefined) throw error;
      log("info", "no control socket", { reason: messageOf(error) });
    }
  }

  async #open(path: string): Promise<ControlSocket> {
    // Only now: what no server needs that has no control socket.
    const { ControlSocket } = await import("../../control/control_socket.ts");
    const { answersOf } = await import("../../control/requests.ts");
    const daemon = this.#daemon;
    const answer = answersOf({
      isReady: () => this.#isReady,
      status: () => this.#status.status(),
      sessions: () => this.#status.sessions(),
      reload: () => daemon.reload(),
      endSessions: (matches) =>
        daemon.server.endSessions(matches, "ended by tcpmux kill"),
      switchService: (name, to) => daemon.server.switchService(name, to),
      drain: () => daemon.drain("tcpmux drain"),
      note: (command, fields) =>
        daemon.log("info", "control", { command, ...fields }),
    });
    return await ControlSocket.open(path, daemon.transport, answer);
  }

  /**
   * Each reload logs which services are still switched off: the administrator
   * may have forgotten them.
   */
  reloaded(error: unknown): void {
    if (error !== undefined) return;
    const off = this.#status.status().services
      .filter(({ switched_off }) => switched_off).map(({ name }) => name);
    if (off.length === 0) return;
    this.#daemon.log("info", "still switched off", { services: off.join(" ") });
  }

  close(): void {
    this.#socket?.close();
  }
}
