import manifest from "../../../package.json" with { type: "json" };
import { formatEndpoint } from "../../endpoint.ts";
import type { ConnectionRecord } from "../../record.ts";
import { StatusSource } from "../../status/status.ts";
import type { Prepared } from "../../table/table.ts";
import type { Loaded } from "../load.ts";
import type { Companion } from "./companion.ts";
import type { Daemon } from "./daemon.ts";

/** Keeps the status of a daemon's server, for all that show it. */
export class StatusCompanion implements Companion {
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
