import type { Account, Outcome } from "./account.ts";
import { Link } from "./chain.ts";
import { ClientConn } from "./client_conn.ts";
import type { Endpoint } from "./endpoint.ts";
import { isDisconnect, messageOf, TcpmuxError } from "./errors.ts";
import { type Handshake, type Heard, NOTHING } from "./handshake/handshake.ts";
import { handshakeAt } from "./handshake/meet.ts";
import type { Passes } from "./passes.ts";
import { decide, decideOn, type Refusal } from "./policy/decide.ts";
import type { Slot } from "./policy/limits.ts";
import type { Offence } from "./policy/penalties.ts";
import { openService } from "./services/hand_over.ts";
import type { Identity } from "./services/identity.ts";
import type { Opened, Premises, ServiceContext } from "./services/opened.ts";
import type { Door } from "./table/door.ts";
import type { Service } from "./table/service.ts";
import type { Table } from "./table/table.ts";
import { Ending } from "./transport/cancel.ts";
import type { Conn } from "./transport/transport.ts";
import { TimeLimits } from "./time_limits.ts";
import { after } from "./timeouts.ts";
import { joined } from "./wire.ts";

/** What all who come through one listener are served with, until a reload. */
export interface Reception extends Premises {
  readonly table: Table;
  readonly identities: ReadonlyMap<Service, Identity>;
  readonly door: Door;
  readonly passes: Passes;
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
export class Session extends Link implements ServiceContext {
  /** Once started. It is never rejected. */
  done: Promise<void> | undefined;
  readonly ending = new Ending();
  #client: ClientConn;
  #reception: Reception;
  #handshake: Handshake;
  #account: Account;
  #slot: Slot;
  /** While it has not named a service. */
  #draining: Ending | undefined;
  #dialled: (() => void)[] | undefined;
  #watch: TimeLimits | undefined;
  #stopped: { outcome: Outcome; reason: string } | undefined;

  constructor(conn: Conn, reception: Reception, account: Account, slot: Slot) {
    super();
    this.#client = new ClientConn(conn);
    this.#reception = reception;
    this.#handshake = handshakeAt(reception.door);
    this.#account = account;
    this.#slot = slot;
  }

  start(): void {
    this.done = this.#run();
  }

  /** Ends the session at once, whatever it is doing. */
  stop(outcome: Outcome, reason: string): void {
    this.#stopped ??= { outcome, reason };
    this.#client.abort();
    this.ending.abort();
  }

  /** The server stops: one that has not named a service yet is refused. */
  drain(): void {
    this.#draining?.abort();
  }

  /** The path of one connection, top to bottom. */
  async #run(): Promise<void> {
    const { table, identities, passes } = this.#reception;
    const client = this.#client;
    const slot = this.#slot;
    try {
      if (slot.verdict === "drop") return this.#drop();
      if (slot.refusal !== undefined) return await this.#refuse(slot.refusal);

      const heard = await this.#hear();
      this.#draining = undefined;
      if (heard.kind === "silence") return await this.#leave();
      if (heard.kind === "refuse") return await this.#refuse(heard);

      const asking = { remote: client.remote, now: Date.now() };
      const decision = heard.kind === "serve"
        ? decideOn(table, heard.service, asking)
        : decide(table, heard.name, asking);
      if (decision.kind === "help") return await this.#help(decision.text);
      if (decision.kind === "refuse") return await this.#refuse(decision);
      const { service } = decision;
      this.#account.service = service;

      const full = await passes.refusalOf(client) ?? slot.admit(service);
      if (full !== undefined) return await this.#refuse(full);
      const opened = await openService(service, this, identities.get(service));
      if (opened.kind === "refuse") return await this.#refuse(opened);

      this.#watch = new TimeLimits(service, client, this);
      try {
        await client.say(this.#greeting(opened));
      } catch (error) {
        await opened.discard();
        throw error;
      }
      client.beginService(opened.first?.length);
      const note = await opened.serve(client);
      this.#watch.stop();
      await client.finish();
      this.#close("served", note ?? "");
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#watch?.stop();
      for (const over of this.#dialled ?? []) over();
      slot.release();
      this.#reception.ended(this);
    }
  }

  #hear(): Promise<Heard> {
    this.#draining = new Ending();
    return this.#handshake.hear(this.#client, {
      timeout: this.#reception.table.server.handshakeTimeout,
      draining: this.#draining,
    });
  }

  get id(): number {
    return this.#account.id;
  }

  get local(): Endpoint {
    return this.#client.local;
  }

  get remote(): Endpoint {
    return this.#client.remote;
  }

  get fromSource(): number {
    return this.#slot.fromSource;
  }

  get premises(): Premises {
    return this.#reception;
  }

  dialling(to: Endpoint, upstream: Promise<Conn>): void {
    const over = this.#reception.passes.opening(this.remote, to, upstream);
    if (over !== undefined) (this.#dialled ??= []).push(over);
  }

  /** The reply line, and with it what the service says at once. */
  #greeting({ message, first = NOTHING }: Opened): Uint8Array {
    if (message === undefined) return NOTHING;
    return joined(this.#handshake.accepted(message), first);
  }

  async #refuse(why: Refusal): Promise<void> {
    const offence = OFFENCES[why.outcome];
    if (offence !== undefined) this.#slot.blame(offence);
    await this.#client.say(this.#handshake.refused(why));
    this.#client.beginService();
    await this.#client.finish();
    this.#close(why.outcome, why.reason);
  }

  async #help(text: Uint8Array): Promise<void> {
    this.#client.beginService();
    // It is still a handshake: who does not read it must not keep its slot.
    const limit = this.#reception.table.server.handshakeTimeout;
    const timeout = limit === 0 ? undefined : after(limit, () => {
      this.stop("timeout", "HELP was not read within handshake_timeout");
    });
    try {
      await this.#client.say(text);
      this.#client.sent(text.length);
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
    this.#reception.log("error", "a service threw", {
      conn: this.#account.id,
      service: this.#account.service?.name,
      stack: error instanceof Error ? error.stack : String(error),
    });
  }

  #close(outcome: Outcome, reason: string): void {
    const end = this.#stopped ?? { outcome, reason };
    this.#account.close(end.outcome, end.reason, this.#client);
  }
}
