/** What serve, forward and proxy share: they run until a signal stops them. */
import { formatEndpoint } from "../../endpoint.ts";
import { messageOf, TcpmuxError } from "../../errors.ts";
import type { Log, LogFields } from "../../log.ts";
import { MuxServer } from "../../server.ts";
import { type Problem, Problems } from "../../table/problem.ts";
import type { Prepared, ServerSettings } from "../../table/table.ts";
import { getEnv } from "../../transport/permission.ts";
import { pickTransport } from "../../transport/pick.ts";
import type { Transport } from "../../transport/transport.ts";
import { EXIT } from "../exit.ts";
import type { Loaded } from "../load.ts";
import { Announcements, type Signal, type Signals } from "../system.ts";
import { collectAtNewHeights } from "./collecting.ts";
import type { Companion } from "./companion.ts";
import { logAdvice, type LogTarget, withLog } from "./log_target.ts";
import { rightsOf } from "./privileges.ts";
import { Reloads } from "./reloads.ts";

/** The drain timeout, in milliseconds, after a second signal to stop. */
const STOP_TIME = 0;

export interface DaemonOptions {
  /** Created before anything else, so that no signal is lost. */
  readonly signals: Signals;
  /** Reads the table, at the start and again at a reload. */
  readonly load: () => Promise<Loaded>;
  /**
   * Called when a table has come into force.
   *
   * @returns what is printed of it on standard output, as JSON
   */
  readonly inForce: (
    loaded: Loaded,
    server: MuxServer,
    log: Log,
  ) => object | undefined;
  /** What stands beside the server, by the first table. */
  readonly companions?: (
    daemon: Daemon,
    first: Loaded,
  ) => Promise<readonly Companion[]>;
}

/**
 * Serves until a signal says to stop and the last session has ended.
 *
 * @returns the exit code; why it cannot start is said behind the log
 */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const transport = await pickTransport();
  return await withLog(transport, transport.output(2), async (logs) => {
    const first = await firstTable(options);
    if (first === undefined) return EXIT.done;
    const daemon = new Daemon(options, transport, logs);
    await daemon.start(first);
    await daemon.closed();
    return EXIT.done;
  });
}

/** @returns undefined where a signal stops the program meanwhile */
async function firstTable(
  { signals, load }: DaemonOptions,
): Promise<Loaded | undefined> {
  try {
    return await new Promise<Loaded | undefined>((resolve, reject) => {
      const stop = () => resolve(undefined);
      signals.handle({ SIGTERM: stop, SIGINT: stop });
      load().then(resolve, reject);
    });
  } finally {
    signals.handle({}); // what comes while it starts is handled when it serves
  }
}

/** A server that runs until it is told to stop. */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #transport: Transport;
  readonly #logs: LogTarget;
  readonly #announcements: Announcements;
  readonly #reloads = new Reloads(() => this.#reload());
  #server!: MuxServer;
  #companions: readonly Companion[] = [];
  #advice: readonly Problem[] = [];
  /** The settings that it was started with. */
  #first!: ServerSettings;

  constructor(options: DaemonOptions, transport: Transport, logs: LogTarget) {
    this.#options = options;
    this.#transport = transport;
    this.#logs = logs;
    this.log = logs.log;
    this.#announcements = new Announcements(
      transport,
      () => this.#server.close(STOP_TIME),
    );
  }

  get server(): MuxServer {
    return this.#server;
  }

  get transport(): Transport {
    return this.#transport;
  }

  /** Logs by the settings of the table in force. */
  readonly log: Log;

  /** @throws as {@linkcode MuxServer.start} does */
  async start(first: Loaded): Promise<void> {
    (await this.#logs.prepare(first.table.server.log)).commit();
    const inherited = this.#transport.sealInherited?.() ?? [];
    if (inherited.length > 0) {
      const what =
        "programs inherit descriptors that the server was started with";
      this.log("warn", what, { descriptors: inherited.join(" ") });
    }
    this.#companions = await this.#options.companions?.(this, first) ?? [];
    const prepared = await this.#prepare(first);
    try {
      this.#server = await this.#startServer(first);
    } catch (error) {
      for (const one of prepared) one.undo?.();
      throw error;
    }
    const addresses = this.#server.addresses.map(formatEndpoint).join(" ");
    this.#inForce(first, prepared, "serving", { pid: process.pid, addresses });
    this.#handleSignals();
  }

  async #startServer({ table, file }: Loaded): Promise<MuxServer> {
    const { collectGarbage } = this.#transport;
    this.#first = table.server;
    const observer = this.#companions.find(({ observer }) => observer)
      ?.observer;
    const watching = this.#companions.filter(({ recorded }) => recorded);
    return await MuxServer.start(table, {
      onBound: await rightsOf({ table, file }, this.#transport, (rights) => {
        for (const companion of this.#companions) companion.becoming?.(rights);
      }),
      transport: this.#transport,
      log: this.log,
      getEnv,
      observer,
      ownsHandedOver: true,
      ...(watching.length === 0 ? {} : {
        onRecord: (record) => {
          for (const companion of watching) companion.recorded!(record);
        },
      }),
      ...(collectGarbage === undefined ? {} : {
        onSessions: collectAtNewHeights(collectGarbage),
      }),
    }, file);
  }

  /**
   * @param before what is ready already, and is undone where this fails
   * @throws where one of the companions refuses the table
   */
  async #prepare(
    next: Loaded,
    ...before: readonly Prepared[]
  ): Promise<readonly Prepared[]> {
    const prepared = [...before];
    try {
      for (const companion of this.#companions) {
        const one = await companion.prepare?.(next);
        if (one !== undefined) prepared.push(one);
      }
      return prepared;
    } catch (error) {
      for (const one of prepared) one.undo?.();
      throw error;
    }
  }

  #inForce(
    loaded: Loaded,
    prepared: readonly Prepared[],
    message: string,
    fields: LogFields = {},
  ): void {
    for (const one of prepared) one.commit();
    const { file: table, table: { services } } = loaded;
    this.log("info", message, { table, services: services.length, ...fields });
    const known = this.#advice;
    this.#advice = loaded.advice();
    logAdvice(this.#advice, known, this.log);
    this.#announcements.print(
      this.#options.inForce(loaded, this.#server, this.log),
    );
  }

  #handleSignals(): void {
    this.#options.signals.handle({
      SIGTERM: () => this.stop({ signal: "SIGTERM" }),
      SIGINT: () => this.stop({ signal: "SIGINT" }),
      SIGHUP: () => void this.reload().catch(() => {}), // it has been logged
      SIGUSR1: () => {
        this.#logs.reopen();
        this.#transport.closeDebugger?.().catch((error) => {
          const reason = messageOf(error);
          this.log("error", "cannot close Deno's debugger", { reason });
        });
      },
      SIGUSR2: () => {
        const { sessions, services, draining, ...state } = this.#server.state;
        const addresses = state.addresses.map(formatEndpoint).join(" ");
        const fields = { sessions, services, draining, addresses };
        this.log("info", "state", fields);
      },
    });
  }

  /**
   * Reads the table again. Reloads follow each other: the last one wins.
   *
   * @throws {TableError | TcpmuxError} and the old table stays in force
   */
  reload(): Promise<void> {
    return this.#reloads.ask();
  }

  async #reload(): Promise<void> {
    if (this.#server.state.draining) {
      throw new TcpmuxError("closed", "the server is stopping");
    }
    for (const companion of this.#companions) companion.reloading?.();
    let failure: unknown;
    try {
      const next = await this.#options.load();
      this.#checkUser(next);
      const log = await this.#logs.prepare(next.table.server.log);
      const prepared = await this.#prepare(next, log);
      try {
        await this.#server.reload(next.table, next.file);
      } catch (error) {
        for (const one of prepared) one.undo?.();
        throw error;
      }
      this.#inForce(next, prepared, "reloaded");
    } catch (error) {
      failure = error;
      this.log("error", "not reloaded, the old table stays in force", {
        reason: messageOf(error),
      });
      throw error;
    } finally {
      for (const companion of this.#companions) companion.reloaded?.(failure);
    }
  }

  /** @throws {TableError} for another user or group than at the start */
  #checkUser({ table, file }: Loaded): void {
    const problems = new Problems(file, table.located);
    for (const key of ["user", "group"] as const) {
      if (table.server[key] === this.#first[key]) continue;
      problems.add(["server", key], "only a restart changes it");
    }
    problems.throwIfAny();
  }

  /**
   * Stops accepting, and lets sessions end within the drain time; asked again,
   * ends them at once.
   *
   * @param why logged: who has asked
   */
  stop(why: { readonly signal: Signal } | { readonly by: string }): void {
    const { draining: isAgain, sessions } = this.#server.state;
    this.log("info", isAgain ? "stopping now" : "stopping", {
      ...why,
      sessions,
    });
    if (!isAgain) {
      for (const companion of this.#companions) companion.draining?.();
    }
    this.#server.close(isAgain ? STOP_TIME : undefined);
  }

  /**
   * Stops accepting, and lets sessions end; changes nothing where the server is
   * stopping already.
   */
  drain(by: string): void {
    if (!this.#server.state.draining) this.stop({ by });
  }

  /** Resolves when the last session has ended, and all of it is written. */
  async closed(): Promise<void> {
    await this.#server.closed;
    for (const companion of this.#companions) await companion.close?.();
    this.log("info", "stopped");
    await this.#announcements.over();
  }
}
