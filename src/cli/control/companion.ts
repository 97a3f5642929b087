import { chownSync } from "node:fs";
import { resolve } from "node:path";
import type { ControlSocket } from "../../control/control_socket.ts";
import { placeToServe } from "../../control/place.ts";
import { messageOf } from "../../errors.ts";
import type { StatusSource } from "../../status/status.ts";
import { getEnv } from "../../transport/permission.ts";
import type { Prepared } from "../../table/table.ts";
import type { Companion } from "../daemon/companion.ts";
import type { Daemon } from "../daemon/daemon.ts";
import type { Rights } from "../daemon/privileges.ts";
import type { Loaded } from "../load.ts";

/** The control socket of a daemon, at the place that its table says. */
export class ControlCompanion implements Companion {
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
    if (path === undefined) {
      log("debug", "no control socket", { reason: why });
      return undefined;
    }
    if (this.#socket?.path === path && this.#socket.isReachable) {
      return this.#socket;
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
      isDraining: () => daemon.server.state.draining,
      status: () => this.#status.status(),
      sessions: () => this.#status.sessions(),
      reload: () => daemon.reload(),
      endSessions: (matches) =>
        daemon.server.endSessions(matches, "ended by tcpmux kill"),
      switchService: (name, to) => daemon.server.switchService(name, to),
      drain: () => daemon.stop({ by: "tcpmux drain" }),
      note: (command, fields) =>
        daemon.log("info", "control", { command, ...fields }),
    });
    return await ControlSocket.open(path, daemon.transport, answer);
  }

  /** What was switched off may have been forgotten: it stays so. */
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
