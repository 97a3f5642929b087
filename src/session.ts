import type { Account, Outcome } from "./account.ts";
import { Link } from "./chain.ts";
import { ClientConn } from "./client_conn.ts";
import type { Endpoint } from "./endpoint.ts";
import { isDisconnect, messageOf, TcpmuxError } from "./errors.ts";
import { type Handshake, NOTHING } from "./handshake/handshake.ts";
import type { Log } from "./log.ts";
import type { Passes } from "./passes.ts";
import { decide, decideOn, type Refusal } from "./policy/decide.ts";
import type { Slot } from "./policy/limits.ts";
import type { Offence } from "./policy/penalties.ts";
import { openService } from "./services/hand_over.ts";
import type { Identity } from "./services/identity.ts";
import type { Opened, Opening } from "./services/opened.ts";
import type { Service } from "./table/service.ts";
import type { Table } from "./table/table.ts";
import { Ending } from "./transport/cancel.ts";
import type { Conn, Transport } from "./transport/transport.ts";
import { TimeLimits } from "./time_limits.ts";
import { after } from "./timeouts.ts";
import { joined } from "./wire.ts";

/** What one connection is served with. A reload does not change it. */
export interface SessionOptions {
  readonly table: Table;
  /** How this client is talked to before its service begins. */
  readonly handshake: Handshake;
  readonly account: Account;
  readonly slot: Slot;
  readonly passes: Passes;
  readonly log: Log;
  readonly transport: Transport;
  readonly getEnv: (name: string) => string | undefined;
  readonly identities: ReadonlyMap<Service, Identity>;
  /** The listener that it came through, as text. */
  readonly listener: string;
  /** Called when it is all over. */
  readonly ended: (session: Session) => void;
}

/** What is not there and what is forbidden are one to a stranger. */
const OFFENCES: Partial<Record<Outcome, Offence>> = {
  unknown: "unknown",
  denied: "unknown",
  malformed: "malformed",
  timeout: "unfinished",
};

/**
 * One connection, from its acceptance to its record. The connection is closed
 * when it is done.
 */
export class Session extends Link {
  /** Once started. It is never rejected. */
  done: Promise<void> | undefined;
  #client: ClientConn;
  #options: SessionOptions;
  #ending = new Ending();
  #draining = new Ending();
  #dialled: (() => void)[] | undefined;
  #stopped: { outcome: Outcome; reason: string } | undefined;

  constructor(conn: Conn, options: SessionOptions) {
    super();
    this.#client = new ClientConn(conn);
    this.#options = options;
  }

  start(): void {
    this.done = this.#run();
  }

  get remote(): Endpoint {
    return this.#client.remote;
  }

  /** Ends the session at once, whatever it is doing. */
  stop(outcome: Outcome, reason: string): void {
    this.#stopped ??= { outcome, reason };
    this.#client.abort();
    this.#ending.abort();
  }

  /** The server stops: one that has not named a service yet is refused. */
  drain(): void {
    this.#draining.abort();
  }

  /** The path of one connection, top to bottom. */
  async #run(): Promise<void> {
    const { table, account, handshake, slot, passes } = this.#options;
    const client = this.#client;
    try {
      if (slot.verdict === "drop") return this.#drop();
      if (slot.refusal !== undefined) return await this.#refuse(slot.refusal);

      const heard = await handshake.hear(client, {
        timeout: table.server.handshakeTimeout,
        draining: this.#draining,
      });
      if (heard.kind === "silence") return await this.#leave();
      if (heard.kind === "refuse") return await this.#refuse(heard);

      const asking = { remote: client.remote, now: Date.now() };
      const decision = heard.kind === "serve"
        ? decideOn(table, heard.service, asking)
        : decide(table, heard.name, asking);
      if (decision.kind === "help") return await this.#help(decision.text);
      if (decision.kind === "refuse") return await this.#refuse(decision);
      const { service } = decision;
      account.service = service;

      const full = await passes.refusalOf(client) ??
        slot.admit(service);
      if (full !== undefined) return await this.#refuse(full);
      const opened = await this.#open(service);
      if (opened.kind === "refuse") return await this.#refuse(opened);
      const note = await this.#serve(opened, service);
      await client.finish();
      this.#close("served", note);
    } catch (error) {
      this.#fail(error);
    } finally {
      for (const over of this.#dialled ?? []) over();
      slot.release();
      this.#options.ended(this);
    }
  }

  #open(service: Service): Opening {
    const {
      transport,
      log,
      getEnv,
      slot,
      listener,
      identities,
      account,
      passes,
    } = this.#options;
    const { local, remote } = this.#client;
    return openService(service, {
      transport,
      log,
      id: account.id,
      local,
      remote,
      fromSource: slot.fromSource,
      listener,
      ending: this.#ending,
      dialling: (to, upstream) => {
        const over = passes.opening(remote, to, upstream);
        if (over !== undefined) (this.#dialled ??= []).push(over);
      },
      getEnv,
    }, identities.get(service));
  }

  async #serve(opened: Opened, service: Service): Promise<string> {
    const client = this.#client;
    const watch = new TimeLimits(service, client, this);
    try {
      await this.#greet(opened);
      return await opened.serve(client);
    } finally {
      watch.stop();
    }
  }

  /** Sends the reply line, and with it what the service says at once. */
  async #greet(opened: Opened): Promise<void> {
    const client = this.#client;
    const { message, first = NOTHING } = opened;
    if (message !== undefined) {
      try {
        const reply = this.#options.handshake.accepted(message);
        const bytes = joined(reply, first);
        if (bytes.length > 0) await client.write(bytes);
      } catch (error) {
        await opened.discard();
        throw error;
      }
    }
    client.beginService();
    if (first.length > 0) client.sent(first.length);
  }

  async #refuse(why: Refusal): Promise<void> {
    const offence = OFFENCES[why.outcome];
    if (offence !== undefined) this.#options.slot.blame(offence);
    const bytes = this.#options.handshake.refused(why);
    if (bytes.length > 0) await this.#client.write(bytes);
    this.#client.beginService();
    await this.#client.finish();
    this.#close(why.outcome, why.reason);
  }

  async #help(text: Uint8Array): Promise<void> {
    this.#client.beginService();
    // It is still a handshake: who does not read it must not keep its slot.
    const limit = this.#options.table.server.handshakeTimeout;
    const timeout = limit === 0 ? undefined : after(limit, () => {
      this.stop("timeout", "HELP was not read within handshake_timeout");
    });
    try {
      await this.#client.write(text);
    } finally {
      timeout?.cancel();
    }
    await this.#client.finish();
    this.#close("help", "");
  }

  async #leave(): Promise<void> {
    await this.#client.finish();
    this.#close("aborted", "the client sent nothing");
  }

  #drop(): void {
    this.#client.abort();
    this.#close("busy", "too many refusals are on their way");
  }

  #fail(error: unknown): void {
    this.#client.abort();
    if (isDisconnect(error)) return this.#close("aborted", messageOf(error));
    this.#close("failed", messageOf(error));
    if (error instanceof TcpmuxError || this.#stopped !== undefined) return;
    this.#options.log("error", "a service threw", {
      conn: this.#options.account.id,
      service: this.#options.account.service?.name,
      stack: error instanceof Error ? error.stack : String(error),
    });
  }

  #close(outcome: Outcome, reason: string): void {
    const end = this.#stopped ?? { outcome, reason };
    this.#options.account.close(end.outcome, end.reason, this.#client);
  }
}
