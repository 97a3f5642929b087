import type { Admin } from "../../admin/admin.ts";
import type { Observer } from "../../record.ts";
import type { ConnectionRecord } from "../../record.ts";
import type { StatusSource } from "../../status/status.ts";
import type { Prepared } from "../../table/table.ts";
import type { Loaded } from "../load.ts";
import type { Companion } from "./companion.ts";
import type { Daemon } from "./daemon.ts";

/** The admin listener of a daemon, from the first table on that asks for it. */
export class AdminCompanion implements Companion {
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
